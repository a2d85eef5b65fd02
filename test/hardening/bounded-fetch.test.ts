import { describe, expect, test } from "bun:test";
import { boundedFetch, ResponseTooLarge } from "../../src/bounded-fetch.ts";
import { outcome } from "../support/outcome.ts";
import { startUpstream } from "../support/upstream.ts";

const LIMIT_BYTES = 64 * 1024;
const TEXT = JSON.stringify({ text: "x".repeat(10_000) });

/** Fetches from a server that responds with `body` and the content coding `encoding`. */
async function answerTo(
  body: string | Uint8Array<ArrayBuffer>,
  encoding: string | undefined,
  gzip: boolean,
): Promise<{ readonly text: string; readonly accepted: string | null }> {
  let accepted: string | null = null;
  await using server = startUpstream((request) => {
    accepted = request.headers.get("accept-encoding");
    return new Response(body, { headers: encoding === undefined ? {} : { "content-encoding": encoding } });
  });
  const { text } = await boundedFetch(
    server.baseUrl,
    {},
    { limitBytes: LIMIT_BYTES, gzip, timeoutMs: undefined },
  );
  return { text, accepted };
}

describe("a response", () => {
  test("is decompressed if gzip is allowed, and left unchanged otherwise", async () => {
    expect(await answerTo(Bun.gzipSync(TEXT), "gzip", true)).toEqual({ text: TEXT, accepted: "gzip" });
    expect(await answerTo(TEXT, undefined, true)).toEqual({ text: TEXT, accepted: "gzip" });
    expect(await answerTo(TEXT, undefined, false)).toEqual({ text: TEXT, accepted: "identity" });
    expect((await answerTo(Bun.gzipSync(TEXT), "gzip", false)).text).not.toContain("xxx");
  });

  test("that is too large, compressed or decompressed, is an error", async () => {
    const bomb = Bun.gzipSync("0".repeat(LIMIT_BYTES + 1));
    expect(bomb.byteLength).toBeLessThan(1_000);
    expect(await outcome(answerTo(bomb, "gzip", true))).toThrow(ResponseTooLarge);
    const large = new Uint8Array(LIMIT_BYTES + 1);
    expect(await outcome(answerTo(large, "gzip", true))).toThrow(ResponseTooLarge);
    expect(await outcome(answerTo(large, undefined, true))).toThrow(ResponseTooLarge);
  });

  test("that is damaged is an error", async () => {
    expect(await outcome(answerTo(TEXT, "gzip", true))).toThrow();
    expect(await outcome(answerTo(Bun.gzipSync(TEXT).subarray(0, 40), "gzip", true))).toThrow();
  });
});

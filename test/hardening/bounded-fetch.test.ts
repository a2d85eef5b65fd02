import { describe, expect, test } from "bun:test";
import { boundedFetch, ResponseTooLarge } from "../../src/bounded-fetch.ts";
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
    await expect(answerTo(bomb, "gzip", true)).rejects.toThrow(ResponseTooLarge);
    const large = new Uint8Array(LIMIT_BYTES + 1);
    await expect(answerTo(large, "gzip", true)).rejects.toThrow(ResponseTooLarge);
    await expect(answerTo(large, undefined, true)).rejects.toThrow(ResponseTooLarge);
  });

  test("that is damaged is an error", async () => {
    await expect(answerTo(TEXT, "gzip", true)).rejects.toThrow();
    await expect(answerTo(Bun.gzipSync(TEXT).subarray(0, 40), "gzip", true)).rejects.toThrow();
  });
});

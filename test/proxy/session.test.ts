import { describe, expect, test } from "bun:test";
import { deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { factsOfRequest } from "../../src/proxy/session.ts";

const TURN = { path: "/backend-api/codex/responses", turn: true };
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
/** A history that does not compress well. */
const HISTORY = Array.from({ length: 20_000 }, (_, index) => Math.sin(index).toString(36));

describe("the facts of a request", () => {
  const facts = (headers: Record<string, string>, body: Uint8Array<ArrayBuffer>, about = TURN) =>
    factsOfRequest(new Headers(headers), body, about);

  test("are the session from the header and the model from the body", async () => {
    const body = bytes({ model: "gpt-x", prompt_cache_key: "body", input: [] });
    expect(await facts({ "session-id": "head" }, body)).toEqual({ session: "head", model: "gpt-x" });
    expect(await facts({}, body)).toEqual({ session: "body", model: "gpt-x" });
    expect(await facts({}, body, { ...TURN, turn: false })).toEqual({ session: "body", model: undefined });
    expect(await facts({}, new Uint8Array())).toEqual({ session: undefined, model: undefined });
  });

  test("about notes and history are the session from the header, or else from the body's context", async () => {
    const about = { path: "/backend-api/codex/alpha/notes/v2/read_file", turn: false };
    const body = bytes({
      path: "a",
      prompt_cache_key: "x",
      context: { session_id: "s1", current_agent_name: "/root" },
    });
    expect(await facts({}, body, about)).toEqual({ session: "s1", model: undefined });
    expect(await facts({ "session-id": "head" }, body, about)).toEqual({ session: "head", model: undefined });
    expect(await facts({}, bytes({ context: "none" }), about)).toEqual({
      session: undefined,
      model: undefined,
    });
    expect(await facts({}, body)).toEqual({ session: "x", model: undefined });
  });

  test("about an uploaded file are its own key", async () => {
    const about = { path: "/backend-api/files/file_1/uploaded", turn: false };
    expect((await facts({ "session-id": "s" }, bytes({}), about)).session).toBe("file file_1");
  });

  const CODINGS: [string, (text: Uint8Array) => Uint8Array<ArrayBuffer>][] = [
    ["identity", (text) => new Uint8Array(text)],
    ["zstd", (text) => new Uint8Array(zstdCompressSync(text))],
    ["gzip", (text) => new Uint8Array(gzipSync(text))],
    ["deflate", (text) => new Uint8Array(deflateSync(text))],
  ];
  for (const [encoding, pack] of CODINGS) {
    const headers = { "session-id": "s", "content-encoding": encoding };
    test(`include the model of a long ${encoding} body, wherever it is`, async () => {
      for (const body of [
        { model: "gpt-x", input: HISTORY },
        { input: HISTORY, model: "gpt-x" },
      ])
        expect(await facts(headers, pack(bytes(body)))).toEqual({ session: "s", model: "gpt-x" });
    });
    test(`have no model if a ${encoding} body is damaged or not a request`, async () => {
      const packed = pack(bytes({ input: HISTORY }));
      for (const body of [packed, packed.slice(0, 50), new Uint8Array([1, 2, 3])])
        expect(await facts(headers, body)).toEqual({ session: "s", model: undefined });
    });
  }

  test("are found in small and in highly compressible bodies", async () => {
    for (const input of ["x", "a".repeat(300_000)])
      for (const [encoding, pack] of CODINGS) {
        const headers = { "session-id": "s", "content-encoding": encoding };
        expect(await facts(headers, pack(bytes({ model: "gpt-x", input })))).toMatchObject({
          model: "gpt-x",
        });
      }
  });

  test("are read from a blob too", async () => {
    const blob = new Blob([bytes({ model: "gpt-x", input: HISTORY })]);
    expect(await factsOfRequest(new Headers({ "session-id": "s" }), blob, TURN)).toEqual({
      session: "s",
      model: "gpt-x",
    });
  });
});

import { describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { outcome } from "../support/outcome.ts";
import { startPool, until } from "../support/pool.ts";
import { signal, startUpstream } from "../support/upstream.ts";

const TURN = "/backend-api/codex/responses";
const OTHER = "/backend-api/files";

describe("bytes pass untouched", () => {
  const plain = Buffer.from(JSON.stringify({ model: "m", input: [], note: "ünïcödé  spaces" }));
  const bodies = {
    identity: plain,
    gzip: Buffer.from(gzipSync(plain)),
    zstd: Buffer.from(Bun.zstdCompressSync(plain)),
    br: Buffer.from([1, 2, 3, 255]),
  };
  for (const [encoding, body] of Object.entries(bodies))
    for (const path of [TURN, OTHER])
      test(`${encoding} up and down on ${path}`, async () => {
        let seen: { body: Buffer; encoding: string | null; length: string | null } | undefined;
        await using upstream = startUpstream(async (request) => {
          seen = {
            body: Buffer.from(await request.arrayBuffer()),
            encoding: request.headers.get("content-encoding"),
            length: request.headers.get("content-length"),
          };
          return new Response(body, {
            headers: { "content-encoding": encoding, "content-type": "application/json" },
          });
        });
        await using pool = await startPool({ accounts: [{ alias: "alice" }], upstream: upstream.baseUrl });
        const answer = await fetch(pool.url + path, {
          method: "POST",
          body,
          headers: { "content-encoding": encoding, "content-type": "application/json" },
          decompress: false,
        });
        expect(Buffer.from(await answer.arrayBuffer()).equals(body)).toBe(true);
        expect(answer.headers.get("content-encoding")).toBe(encoding);
        expect(seen?.body.equals(body)).toBe(true);
        expect(seen?.encoding).toBe(encoding);
        expect(seen?.length).toBe(String(body.length));
      });

  test("20 MB up and down", async () => {
    const body = crypto.getRandomValues(new Uint8Array(65_536));
    const big = Buffer.concat(Array.from({ length: 320 }, () => body));
    await using upstream = startUpstream(async (request) => new Response(await request.arrayBuffer()));
    await using pool = await startPool({ accounts: [{ alias: "alice" }], upstream: upstream.baseUrl });
    const answer = await fetch(pool.url + OTHER, { method: "POST", body: big });
    const back = await answer.arrayBuffer();
    expect(back.byteLength).toBe(20 * 1024 * 1024);
    expect(Bun.hash(back)).toBe(Bun.hash(big));
  });

  for (const status of [204, 304, 301, 302, 307, 308])
    test(`a ${status} is returned unchanged`, async () => {
      await using upstream = startUpstream(
        () =>
          new Response(null, { status, headers: { location: "https://elsewhere.example/x", etag: '"e"' } }),
      );
      await using pool = await startPool({ accounts: [{ alias: "alice" }], upstream: upstream.baseUrl });
      const answer = await fetch(pool.url + OTHER, { redirect: "manual" });
      expect(answer.status).toBe(status);
      expect(answer.headers.get("location")).toBe("https://elsewhere.example/x");
      expect(answer.headers.get("etag")).toBe('"e"');
      expect((await answer.arrayBuffer()).byteLength).toBe(0);
    });

  test("HEAD keeps the length and has no body", async () => {
    await using upstream = startUpstream(
      (request) =>
        new Response(request.method === "HEAD" ? null : "12345", { headers: { "content-length": "5" } }),
    );
    await using pool = await startPool({ accounts: [{ alias: "alice" }], upstream: upstream.baseUrl });
    const answer = await fetch(pool.url + OTHER, { method: "HEAD" });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-length")).toBe("5");
    expect(await answer.text()).toBe("");
  });

  test("repeated headers keep all their values, in both directions", async () => {
    let seen = "";
    await using upstream = startUpstream((request) => {
      seen = request.headers.get("x-openai-many") ?? "";
      return new Response("x", {
        headers: [
          ["x-openai-back", "1"],
          ["x-openai-back", "2"],
        ],
      });
    });
    await using pool = await startPool({ accounts: [{ alias: "alice" }], upstream: upstream.baseUrl });
    const answer = await fetch(pool.url + OTHER, {
      headers: [
        ["x-openai-many", "a"],
        ["x-openai-many", "b"],
      ],
    });
    expect(seen).toBe("a, b");
    expect(answer.headers.get("x-openai-back")).toBe("1, 2");
  });
});

describe("headers", () => {
  test("of the client's login do not reach the backend, the account's do, and no cookies are returned", async () => {
    let seen = new Headers();
    await using upstream = startUpstream((request) => {
      seen = request.headers;
      return new Response("x", { headers: { "set-cookie": "a=b", "alt-svc": "h3", "x-openai-kept": "yes" } });
    });
    await using pool = await startPool({ accounts: [{ alias: "alice" }], upstream: upstream.baseUrl });
    const answer = await fetch(pool.url + OTHER, {
      headers: {
        authorization: "Bearer client",
        "chatgpt-account-id": "proxy-only",
        cookie: "c=1",
        "x-forwarded-for": "10.1.1.1",
        "proxy-authorization": "Basic x",
        "x-openai-hop": "1",
        connection: "x-openai-hop",
        originator: "codex_exec",
        "user-agent": "codex_exec/0.169.0",
      },
    });
    expect(seen.get("authorization")).toStartWith("Bearer ey");
    expect(seen.get("chatgpt-account-id")).toBe("mock-alice");
    for (const name of ["cookie", "x-forwarded-for", "proxy-authorization", "x-openai-hop"])
      expect(seen.get(name)).toBeNull();
    expect(seen.get("originator")).toBe("codex_exec");
    expect(seen.get("user-agent")).toBe("codex_exec/0.169.0");
    expect(answer.headers.get("x-openai-kept")).toBe("yes");
    for (const name of ["set-cookie", "alt-svc"]) expect(answer.headers.get(name)).toBeNull();
  });
});

describe("server-sent events", () => {
  const sse = (type: string, extra = "") => `event: ${type}\ndata: {"type":"${type}"${extra}}\n\n`;

  test("arrive one by one: each before the next one is sent", async () => {
    const steps = Array.from({ length: 20 }, () => signal());
    await using upstream = startUpstream(() => {
      let next = 0;
      return new Response(
        new ReadableStream({
          pull: async (controller) => {
            if (next > 0) await steps[next - 1]?.promise;
            if (next === steps.length) return controller.close();
            controller.enqueue(new TextEncoder().encode(sse("response.output_text.delta", `,"n":${next++}`)));
          },
        }),
        { headers: { "content-type": "text/event-stream" } },
      );
    });
    await using pool = await startPool({ accounts: [{ alias: "alice" }], upstream: upstream.baseUrl });
    const answer = await fetch(pool.url + TURN, { method: "POST", body: "{}" });
    const reader = answer.body!.getReader();
    for (const [index, step] of steps.entries()) {
      const { value } = await reader.read();
      expect(new TextDecoder().decode(value)).toBe(sse("response.output_text.delta", `,"n":${index}`));
      step.resolve(); // only now may the backend send the next one
    }
    expect((await reader.read()).done).toBe(true);
  });

  test("keep their bytes: comments, CRLF, unknown fields, and events cut anywhere", async () => {
    const text = `: hello\r\n\r\nevent: response.created\r\ndata: {"type":"response.created"}\r\n\r\nid: 7\nretry: 10\ndata: {"type":\ndata: "response.output_text.delta"}\n\n${sse("response.completed", ',"ü":"€"')}data: [DONE]`;
    const bytes = Buffer.from(text);
    await using upstream = startUpstream(() => {
      let at = 0;
      return new Response(
        new ReadableStream({
          pull: (controller) => {
            if (at >= bytes.length) return controller.close();
            controller.enqueue(new Uint8Array(bytes.subarray(at, at + 7)));
            at += 7;
          },
        }),
        { headers: { "content-type": "text/event-stream" } },
      );
    });
    await using pool = await startPool({ accounts: [{ alias: "alice" }], upstream: upstream.baseUrl });
    const answer = await fetch(pool.url + TURN, { method: "POST", body: "{}" });
    expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
  });

  test("that break off after output reach the client as a broken stream, and are not sent again", async () => {
    let asked = 0;
    const received = signal();
    await using upstream = startUpstream(() => {
      asked++;
      let sent = false;
      return new Response(
        new ReadableStream({
          pull: async (controller) => {
            if (sent) {
              await received.promise;
              return controller.error();
            }
            sent = true;
            controller.enqueue(new TextEncoder().encode(sse("response.output_text.delta")));
          },
        }),
        { headers: { "content-type": "text/event-stream" } },
      );
    });
    await using pool = await startPool({
      accounts: [{ alias: "alice" }, { alias: "bob" }],
      upstream: upstream.baseUrl,
    });
    const answer = await fetch(pool.url + TURN, { method: "POST", body: "{}" });
    const reader = answer.body!.getReader();
    await reader.read();
    received.resolve();
    expect(await outcome(reader.read())).toThrow();
    expect(asked).toBe(1);
  });
});

describe("a client that goes away", () => {
  for (const phase of ["before the answer", "in the middle of a stream", "in a quiet stream"] as const)
    test(`${phase} ends the backend's request, and no account cools down`, async () => {
      const started = signal();
      const ended = signal<number>();
      await using upstream = startUpstream((request) => {
        request.signal.addEventListener("abort", () => ended.resolve(performance.now()));
        if (phase === "before the answer") {
          started.resolve();
          return new Promise<Response>(() => {});
        }
        return new Response(
          new ReadableStream({
            start: (controller) =>
              controller.enqueue(new TextEncoder().encode('data: {"type":"response.output_text.delta"}\n\n')),
            pull: async (controller) => {
              if (phase === "in a quiet stream") return new Promise(() => {});
              await new Promise((resolve) => setImmediate(resolve));
              controller.enqueue(new TextEncoder().encode('data: {"type":"response.output_text.delta"}\n\n'));
            },
          }),
          { headers: { "content-type": "text/event-stream" } },
        );
      });
      await using pool = await startPool({ accounts: [{ alias: "alice" }], upstream: upstream.baseUrl });
      const leaving = new AbortController();
      const answer = fetch(pool.url + TURN, { method: "POST", body: "{}", signal: leaving.signal });
      if (phase === "before the answer") await started.promise;
      else await (await answer).body!.getReader().read();
      leaving.abort();
      await answer.catch(() => {});
      await ended.promise;
      await until("the use has ended", async () => (await pool.status()).accounts[0]?.in_flight === 0);
      const [alice] = (await pool.status()).accounts;
      expect(alice).toMatchObject({ healthy: true, cooldown_seconds: 0 });
    });
});

import { describe, expect, test } from "bun:test";
import WebSocket from "ws";
import { createSocketClient } from "../../src/mock/client.ts";
import { outcome } from "../support/outcome.ts";
import { limitBody, startPool, type TestPool, until } from "../support/pool.ts";

const PATH = "/backend-api/codex/responses";

describe("an idle socket", () => {
  test("whose account is no longer the right one hands the session over at the next turn", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    const client = createSocketClient(pool.url, "s1");
    expect(await client.turn("one")).toBe("Hello from alice");
    await pool.accounts.pin("bob");
    expect(await client.turn("two")).toBe("Hello from bob");
    client.close();
  });

  test("of a removed account moves too", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    const client = createSocketClient(pool.url, "s1");
    await client.turn("one");
    await pool.accounts.remove("alice");
    expect(await client.turn("two")).toBe("Hello from bob");
    client.close();
  });

  test("of a disabled account serves no more turns, even if no other account is in service", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    const client = createSocketClient(pool.url, "s1");
    await client.turn("one");
    for (const alias of ["alice", "bob"]) await pool.accounts.serve(alias, "disable");
    const before = pool.mock.requests.filter(({ point }) => point === "message").length;
    expect(await outcome(client.turn("two"))).toThrow("no_account_available");
    expect(pool.mock.requests.filter(({ point }) => point === "message").length).toBe(before);
    await pool.accounts.serve("bob", "enable");
    expect(await client.turn("three")).toBe("Hello from bob");
    client.close();
  });

  test("stays with its account if the policy only prefers another one", async () => {
    const config = '[policy]\nmode = "round_robin"\n';
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }], config });
    const client = createSocketClient(pool.url, "s1");
    const first = await client.turn("one");
    for (const text of ["two", "three", "four"]) expect(await client.turn(text)).toBe(first);
    client.close();
    const handshakes = pool.mock.requests.filter((request) => request.point === "upgrade");
    expect(handshakes.length).toBe(1);
  });
});

describe("a socket", () => {
  test("ended by the backend between turns is closed with the same code", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const socket = await open(pool);
    const closed = new Promise<number>((resolve) => socket.on("close", resolve));
    pool.mock.faults.add({ on: "message", cutAfter: 3, end: "close", closeCode: 1012 });
    socket.send(
      JSON.stringify({ type: "response.create", model: "m", input: [], previous_response_id: null }),
    );
    expect(await closed).toBe(1012);
  });

  test("closed by the client frees its account, and no account cools down", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    pool.mock.faults.add({ on: "message", cutAfter: 3, end: "hang" });
    const socket = await open(pool);
    // A turn counts as a use of its account, an open socket does not.
    expect((await pool.status()).accounts[0]?.in_flight).toBe(0);
    const begun = new Promise((resolve) => socket.once("message", resolve));
    socket.send(JSON.stringify({ type: "response.create", model: "m", input: [] }));
    await begun;
    expect((await pool.status()).accounts[0]?.in_flight).toBe(1);
    socket.terminate();
    await until("the use has ended", async () => (await pool.status()).accounts[0]?.in_flight === 0);
    expect((await pool.status()).accounts[0]).toMatchObject({ healthy: true, cooldown_seconds: 0 });
  });

  test("makes its account the active one with its first turn, and not with each that follows", async () => {
    const config = '[policy]\nmode = "round_robin"\n';
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }], config });
    const active = async () => (await pool.status()).accounts.find((one) => one.active)?.alias;
    const first = createSocketClient(pool.url, "s1");
    const second = createSocketClient(pool.url, "s2");
    expect([await first.turn("one"), await active()]).toEqual(["Hello from alice", "alice"]);
    expect([await second.turn("one"), await active()]).toEqual(["Hello from bob", "bob"]);
    expect([await first.turn("two"), await active()]).toEqual(["Hello from alice", "bob"]);
    first.close();
    second.close();
  });

  test("serves several turns that the client requests together one after the other, and loses none", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    pool.mock.faults.add({
      on: "message",
      account: "alice",
      skip: 1,
      events: [{ type: "error", status: 429, error: limitBody(Math.floor(Date.now() / 1000) + 600) }],
    });
    const socket = await open(pool);
    const texts: string[] = [];
    socket.on("message", (data: Buffer) => {
      const { type, text } = JSON.parse(data.toString());
      if (type === "response.output_text.done") texts.push(text);
    });
    for (const _ of [1, 2, 3])
      socket.send(JSON.stringify({ type: "response.create", model: "m", input: [] }));
    await until("all are served", () => texts.length === 3);
    expect(texts).toEqual(["Hello from alice", "Hello from bob", "Hello from bob"]);
    socket.terminate();
  });

  test("carries 8 MB messages", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const client = createSocketClient(pool.url, "s1");
    expect(await client.turn("x".repeat(8 * 1024 * 1024))).toBe("Hello from alice");
    client.close();
  });

  test("announces the largest message, and forwards the refusal of a larger one without trying another account", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    const socket = new WebSocket(pool.url.replace("http", "ws") + PATH, { headers: { "session-id": "s1" } });
    const limit = new Promise((resolve) =>
      socket.once("upgrade", ({ headers }) => resolve(headers["x-codex-websocket-max-message-bytes"])),
    );
    await new Promise((resolve) => socket.once("open", resolve));
    expect(await limit).toBe(String(16 * 1024 * 1024));
    pool.mock.faults.add({ on: "message", events: [], end: "close", closeCode: 1009 });
    const closed = new Promise<number>((resolve) => socket.on("close", resolve));
    socket.send(JSON.stringify({ type: "response.create", model: "m", input: [] }));
    expect(await closed).toBe(1009);
    expect(pool.mock.requests.filter(({ point }) => point === "message").length).toBe(1);
    for (const { healthy } of (await pool.status()).accounts) expect(healthy).toBe(true);
  });

  test("that keeps being handed over without output is sent to HTTP with a 426", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice" }, { alias: "bob" }, { alias: "carol" }],
    });
    // Every account has a passing failure, on a request that refers to an earlier response.
    pool.mock.faults.add({
      on: "message",
      events: [{ type: "error", status: 500, error: { code: "server_error" } }],
    });
    let status = 101;
    for (let tries = 0; tries < 8 && status === 101; tries++) {
      const socket = await open(pool).catch((error: Error) => error);
      if (socket instanceof Error) {
        status = Number(/\d{3}/.exec(socket.message)?.[0]);
        break;
      }
      const closed = new Promise((resolve) => socket.on("close", resolve));
      socket.send(
        JSON.stringify({ type: "response.create", model: "m", input: [], previous_response_id: "x" }),
      );
      await closed;
    }
    expect(status).toBe(426);
  });

  test("gets the pool's figures between turns too", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    await until("figures are known", async () =>
      (await pool.status()).accounts.every((one) => one.daily_left_pct >= 0),
    );
    const rate_limits = { primary: { used_percent: 90, window_minutes: 300 }, secondary: null };
    pool.mock.faults.add({
      on: "message",
      events: [
        { type: "response.output_text.delta", delta: "x" },
        { type: "response.completed", response: { id: "r" } },
        { type: "codex.rate_limits", rate_limits },
      ],
    });
    const socket = await open(pool);
    const percent = usedPercent(socket);
    socket.send(JSON.stringify({ type: "response.create", model: "m", input: [] }));
    expect(await percent).toBe(45);
    socket.terminate();
  });

  test("gets the pool's figures in place of the account's", async () => {
    await using pool = await startPool({
      accounts: [
        { alias: "alice", turns: 2 },
        { alias: "bob", turns: 2 },
      ],
    });
    await until("figures are known", async () =>
      (await pool.status()).accounts.every((one) => one.daily_left_pct >= 0),
    );
    const socket = await open(pool);
    const percent = usedPercent(socket);
    socket.send(JSON.stringify({ type: "response.create", model: "m", input: [] }));
    // Alice has used one of two turns, bob none: a quarter of the pool's.
    expect(await percent).toBe(25);
    socket.terminate();
  });
});

describe("a session", () => {
  test("over both transports stays with the account that served it, whatever the policy prefers", async () => {
    const config = '[policy]\nmode = "round_robin"\n';
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }], config });
    const post = async (session: string) => {
      const answer = await fetch(pool.url + PATH, {
        method: "POST",
        headers: { "session-id": session },
        body: JSON.stringify({ model: "m", input: [] }),
      });
      return /"text":"(Hello from \w+)"/.exec(await answer.text())?.[1];
    };
    const owners = new Map<string, string | undefined>();
    for (const session of ["a", "b", "c", "d"]) owners.set(session, await post(session));
    expect(new Set(owners.values()).size).toBe(2);
    for (const [session, owner] of [...owners, ...owners]) expect(await post(session)).toBe(owner);
    for (const [session, owner] of owners) {
      const client = createSocketClient(pool.url, session);
      expect(await client.turn("x")).toBe(owner ?? "none");
      client.close();
    }
  });

  test("is recognised by its cache key if there is no header, even in a compressed body", async () => {
    const config = '[policy]\nmode = "round_robin"\n';
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }], config });
    const post = async (encoding: string, pack: (text: string) => string | Uint8Array<ArrayBuffer>) => {
      const body = pack(JSON.stringify({ model: "m", input: [], prompt_cache_key: "k" }));
      await (
        await fetch(pool.url + PATH, { method: "POST", body, headers: { "content-encoding": encoding } })
      ).text();
    };
    await post("identity", (text) => text);
    await post("zstd", (text) => new Uint8Array(Bun.zstdCompressSync(text)));
    await post("gzip", (text) => Bun.gzipSync(Buffer.from(text)));
    const served = pool.mock.requests
      .filter((request) => request.point === "sse")
      .map((request) => request.account);
    expect(served.length).toBe(3);
    expect(new Set(served).size).toBe(1);
  });
});

/** The used share of the short window, in percent, in the next event about limits. */
function usedPercent(socket: WebSocket): Promise<number> {
  return new Promise((resolve) =>
    socket.on("message", (data: Buffer) => {
      const event = JSON.parse(data.toString());
      if (event.type === "codex.rate_limits") resolve(event.rate_limits.primary.used_percent);
    }),
  );
}

function open(pool: TestPool): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(pool.url.replace("http", "ws") + PATH, { headers: { "session-id": "s1" } });
    socket.once("open", () => resolve(socket));
    socket.once("unexpected-response", (_request, reply) => reject(new Error(`status ${reply.statusCode}`)));
    socket.once("error", reject);
  });
}

import { describe, expect, test } from "bun:test";
import { createSocketClient, createSseClient, type TurnClient } from "../../src/mock/client.ts";
import type { FaultInput } from "../../src/mock/faults.ts";
import { outcome } from "../support/outcome.ts";
import { limitBody, startPool, type TestPool } from "../support/pool.ts";

const RESET_S = Math.floor(Date.now() / 1000) + 3_600;
const CREATED = {
  type: "response.created",
  response: { id: "resp_early", status: "in_progress", output: [] },
};
const LIMIT_EVENT = { type: "error", status: 429, error: limitBody(RESET_S) };

type Expected = { served: string; alice: { healthy: boolean; reason?: string; disabled?: string } };
const READY = { healthy: true };

/** One account fails and one is healthy. The turn must complete, and only the failing account may be affected. */
const CASES: { name: string; fault: FaultInput; expected: Expected; transports?: ("sse" | "websocket")[] }[] =
  [
    {
      name: "a usage limit as a 429 response",
      fault: { on: "sse", account: "alice", answer: { status: 429, body: { error: limitBody(RESET_S) } } },
      expected: { served: "bob", alice: { healthy: false, reason: "usage-limit" } },
      transports: ["sse"],
    },
    {
      name: "a usage limit as a 429 response to the handshake",
      fault: {
        on: "upgrade",
        account: "alice",
        answer: { status: 429, body: { error: limitBody(RESET_S) } },
      },
      expected: { served: "bob", alice: { healthy: false, reason: "usage-limit" } },
      transports: ["websocket"],
    },
    {
      name: "a usage limit as the first event",
      fault: { on: "turn", account: "alice", events: [LIMIT_EVENT] },
      expected: { served: "bob", alice: { healthy: false, reason: "usage-limit" } },
    },
    {
      name: "a usage limit after response.created",
      fault: { on: "turn", account: "alice", events: [CREATED, LIMIT_EVENT] },
      expected: { served: "bob", alice: { healthy: false, reason: "usage-limit" } },
    },
    {
      name: "a usage limit as response.failed",
      fault: {
        on: "turn",
        account: "alice",
        events: [
          CREATED,
          { type: "response.failed", response: { error: { code: "usage_limit_reached", message: "x" } } },
        ],
      },
      expected: { served: "bob", alice: { healthy: false, reason: "usage-limit" } },
    },
    {
      name: "an overload inside a stream that began well",
      fault: {
        on: "turn",
        account: "alice",
        events: [
          CREATED,
          { type: "response.failed", response: { error: { code: "server_is_overloaded", message: "x" } } },
        ],
      },
      expected: { served: "bob", alice: { healthy: false, reason: "server_is_overloaded" } },
    },
    {
      name: "a usage limit as a 403 text",
      fault: {
        on: "sse",
        account: "alice",
        answer: { status: 403, body: { detail: { message: "You’ve hit your usage limit." } } },
      },
      expected: { served: "bob", alice: { healthy: false, reason: "usage-limit" } },
      transports: ["sse"],
    },
    ...[429, 500, 502, 503].map((status) => ({
      name: `a plain ${status}`,
      fault: { on: "sse" as const, account: "alice", answer: { status, body: { error: { message: "no" } } } },
      expected: { served: "bob", alice: { healthy: false, reason: `http-${status}` } },
      transports: ["sse" as const],
    })),
    ...[429, 500, 503].map((status) => ({
      name: `a plain ${status} to the handshake`,
      fault: {
        on: "upgrade" as const,
        account: "alice",
        answer: { status, body: { error: { message: "no" } } },
      },
      expected: { served: "bob", alice: { healthy: false, reason: `http-${status}` } },
      transports: ["websocket" as const],
    })),
    {
      name: "a connection that breaks before the response",
      fault: { on: "turn", account: "alice", reset: true },
      expected: { served: "bob", alice: { healthy: false, reason: "transport-error" } },
      transports: ["sse"],
    },
    {
      name: "a stream that breaks before output",
      fault: { on: "turn", account: "alice", times: 1, cutAfter: 1, end: "reset" },
      expected: { served: "alice or bob", alice: READY },
      transports: ["websocket"],
    },
    {
      name: "a token that is refused once",
      fault: {
        on: "sse",
        account: "alice",
        times: 1,
        answer: { status: 401, body: { error: { code: "token_expired", message: "x" } } },
      },
      expected: { served: "alice", alice: READY },
      transports: ["sse"],
    },
    {
      name: "a token that is refused permanently",
      fault: {
        on: "sse",
        account: "alice",
        answer: { status: 401, body: { error: { code: "x", message: "x" } } },
      },
      expected: { served: "bob", alice: { healthy: false, disabled: "http-401" } },
      transports: ["sse"],
    },
    {
      name: "an account that is forbidden",
      fault: {
        on: "sse",
        account: "alice",
        answer: { status: 403, body: { error: { code: "x", message: "x" } } },
      },
      expected: { served: "bob", alice: { healthy: false, reason: "http-403" } },
      transports: ["sse"],
    },
    {
      name: "a challenge page instead of a response",
      fault: {
        on: "sse",
        account: "alice",
        answer: { status: 403, headers: { "cf-mitigated": "challenge" }, body: "<html>prove it</html>" },
      },
      expected: { served: "bob", alice: { healthy: false, reason: "http-403-challenge" } },
      transports: ["sse"],
    },
  ];

const CLIENTS: Record<"sse" | "websocket", (url: string, session: string) => TurnClient> = {
  sse: createSseClient,
  websocket: createSocketClient,
};

for (const transport of ["sse", "websocket"] as const)
  describe(`over ${transport}, a turn completes although alice returns`, () => {
    for (const { name, fault, expected, transports } of CASES) {
      if (transports !== undefined && !transports.includes(transport)) continue;
      test(name, async () => {
        await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
        pool.mock.faults.add(fault);
        const client = CLIENTS[transport](pool.url, "s1");
        const text = await client.turn("hello");
        client.close();
        expect(expected.served).toContain(text.replace("Hello from ", ""));
        const alice = await account(pool, "alice");
        expect(alice.healthy).toBe(expected.alice.healthy);
        expect(alice.cooldown_reason).toBe(expected.alice.reason);
        expect(alice.disabled_reason).toBe(expected.alice.disabled);
        expect((await account(pool, "bob")).healthy).toBe(true);
      });
    }
  });

describe("a limit", () => {
  test("in the middle of a WebSocket session moves the session with its history, and the client reconnects once", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice", turns: 100 }, { alias: "bob" }] });
    const client = createSocketClient(pool.url, "s1");
    expect(await client.turn("one")).toBe("Hello from alice");
    pool.mock.faults.add({ on: "message", account: "alice", events: [CREATED, LIMIT_EVENT] });
    expect(await client.turn("two")).toBe("Hello from bob");
    expect(await client.turn("three")).toBe("Hello from bob");
    client.close();
    // Bob refused alice's reasoning once; the proxy dropped it and sent the turn again.
    const onBob = pool.mock.requests.filter(
      (request) => request.point === "message" && request.account === "bob",
    );
    expect(onBob.length).toBe(3);
    const events = await pool.stopAndReadEvents();
    expect(events.filter((event) => event.event === "websocket.handover").length).toBe(1);
  });

  test("makes the account cool down until its reset, not longer", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    pool.mock.faults.add({
      on: "sse",
      account: "alice",
      answer: { status: 429, body: { error: limitBody(Math.floor(Date.now() / 1000) + 600) } },
    });
    await createSseClient(pool.url, "s1").turn("hello");
    const { cooldown_seconds } = await account(pool, "alice");
    expect(cooldown_seconds).toBeGreaterThan(590);
    expect(cooldown_seconds).toBeLessThanOrEqual(600);
  });

  test("of every account returns the whole 429 with the pool's earliest reset, on both transports", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    const resets = { alice: RESET_S + 500, bob: RESET_S };
    for (const alias of ["alice", "bob"] as const) {
      const answer = { status: 429, body: { error: { ...limitBody(resets[alias]), extra: "kept" } } };
      pool.mock.faults.add({ on: "sse", account: alias, answer }, { on: "upgrade", account: alias, answer });
    }
    const first = await post(pool, "s1");
    expect(first.status).toBe(429);
    const body = (await first.json()) as { error: Record<string, unknown> };
    expect(body.error).toMatchObject({
      type: "usage_limit_reached",
      plan_type: "pro",
      resets_at: RESET_S,
      extra: "kept",
    });
    const asked = pool.mock.requests.filter((request) => request.point === "sse").length;
    expect(asked).toBe(2);
    // The accounts are known to be exhausted: the proxy asks the backend no more, and a handshake gets the same answer.
    expect((await post(pool, "s1")).status).toBe(429);
    expect(await outcome(createSocketClient(pool.url, "s2").turn("x"))).toThrow(`"resets_at":${RESET_S}`);
    expect(pool.mock.requests.filter((request) => request.point === "sse").length).toBe(asked);
  });

  test("is never returned while one account has room, however many are exhausted", async () => {
    const aliases = ["alice", "bob", "carol", "dave", "erin", "frank"];
    await using pool = await startPool({ accounts: aliases.map((alias) => ({ alias })) });
    for (const account of aliases.slice(0, -1))
      pool.mock.faults.add({
        on: "sse",
        account,
        answer: { status: 429, body: { error: limitBody(RESET_S) } },
      });
    expect(await createSseClient(pool.url, "s1").turn("hello")).toBe("Hello from frank");
  });

  test("is never sent over WebSocket either", async () => {
    const aliases = ["alice", "bob", "carol", "dave", "erin", "frank"];
    await using pool = await startPool({ accounts: aliases.map((alias) => ({ alias })) });
    for (const account of aliases.slice(0, -1))
      pool.mock.faults.add({ on: "message", account, events: [LIMIT_EVENT] });
    const client = createSocketClient(pool.url, "s1");
    expect(await client.turn("hello")).toBe("Hello from frank");
    client.close();
  });

  test("affects only turns: requests that use no quota are still served", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    pool.mock.faults.add({ on: "sse", answer: { status: 429, body: { error: limitBody(RESET_S) } } });
    expect((await post(pool, "s1")).status).toBe(429);
    expect((await fetch(`${pool.url}/backend-api/codex/models`)).status).toBe(200);
    const usage = (await (await fetch(`${pool.url}/backend-api/wham/usage`)).json()) as {
      rate_limit: unknown;
    };
    expect(usage.rate_limit).toMatchObject({
      allowed: false,
      limit_reached: true,
      primary_window: { reset_at: RESET_S },
    });
  });

  test("of the last account in the middle of a WebSocket session reaches the client as the backend sent it", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const client = createSocketClient(pool.url, "s1");
    await client.turn("one");
    pool.mock.faults.add({ on: "message", events: [LIMIT_EVENT] });
    expect(await outcome(client.turn("two"))).toThrow(`"status":429,"error":{"type":"usage_limit_reached"`);
    client.close();
  });
});

test("the event log contains each step of a failover, and no content of the turn", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  pool.mock.faults.add({
    on: "sse",
    account: "alice",
    answer: { status: 503, body: { error: { message: "secret" } } },
  });
  await createSseClient(pool.url, "s1").turn("my secret plan");
  const events = await pool.stopAndReadEvents();
  const mine = events.filter((event) => event.fields?.req_id === 1);
  expect(mine.map(({ event, fields }) => `${event} ${fields?.account_id ?? ""}`.trim())).toEqual([
    "request.received",
    "request.account_selected openai:alice",
    "account.cooldown openai:alice",
    "request.account_selected openai:bob",
    "request.switched openai:bob",
    "request.completed openai:bob",
  ]);
  const text = JSON.stringify(events);
  for (const secret of ["secret", "example.com", "Bearer", "eyJ"]) expect(text).not.toContain(secret);
});

test("the event log reports a switch when a session moves to the account that served last", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  const first = createSseClient(pool.url, "s1");
  await pool.accounts.pin("alice");
  await first.turn("one");
  await pool.accounts.pin("bob");
  await createSseClient(pool.url, "s2").turn("one");
  await pool.accounts.unpin();
  pool.mock.faults.add({ on: "sse", account: "alice", answer: { status: 503, body: {} } });
  expect(await first.turn("two")).toBe("Hello from bob");
  const events = await pool.stopAndReadEvents();
  const selected = events.filter(({ event }) => event === "request.account_selected").slice(-2);
  expect(
    selected.map(({ fields }) => [fields?.account_alias, fields?.switch_reason, fields?.switched]),
  ).toEqual([
    ["alice", "affinity", false],
    ["bob", "sticky", true],
  ]);
  expect(events.findLast(({ event }) => event === "request.switched")?.fields).toMatchObject({
    account_id: "openai:bob",
  });
});

describe("no account cools down", () => {
  test("when the connections of all accounts break", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    pool.mock.faults.add({ on: "sse", reset: true });
    const answer = await post(pool, "s1");
    expect(answer.status).toBe(502);
    expect(await answer.json()).toMatchObject({ error: { code: "upstream_unreachable" } });
    for (const { healthy } of (await pool.status()).accounts) expect(healthy).toBe(true);
  });

  test("after a request that the client got wrong, which is not sent again", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    const refusal = { error: { code: "context_length_exceeded", message: "too long" } };
    pool.mock.faults.add({ on: "sse", answer: { status: 400, body: refusal } });
    const answer = await post(pool, "s1");
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual(refusal);
    expect(pool.mock.requests.filter((request) => request.point === "sse").length).toBe(1);
    for (const { healthy } of (await pool.status()).accounts) expect(healthy).toBe(true);
  });

  test("after a failing request for a catalogue or plug-in, which goes to the other account", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    pool.mock.faults.add({ on: "models", account: "alice", answer: { status: 503, body: {} } });
    expect((await fetch(`${pool.url}/backend-api/codex/models`)).status).toBe(200);
    for (const { healthy } of (await pool.status()).accounts) expect(healthy).toBe(true);
  });
});

describe("credentials", () => {
  test("that have expired are renewed once, before they are used, and written to disk", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice", expiresInSeconds: -60 }] });
    const clients = [1, 2, 3].map((n) => createSseClient(pool.url, `s${n}`).turn("hello"));
    expect(await Promise.all(clients)).toEqual(["Hello from alice", "Hello from alice", "Hello from alice"]);
    expect(pool.mock.requests.filter((request) => request.point === "token").length).toBe(1);
    const kept = await Bun.file(`${pool.layout.accounts}/alice/auth.json`).json();
    expect(kept.tokens.refresh_token).not.toBe("mock-refresh-alice-1");
    expect(kept.OPENAI_API_KEY).toBeNull();
  });

  test("that the token endpoint rejects disable their account, and the next account serves", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice", expiresInSeconds: -60 }, { alias: "bob" }],
      prepare: (_layout, mock) => mock.accounts.revoke(mock.accounts.byAlias("alice")),
    });
    expect(await createSseClient(pool.url, "s1").turn("hello")).toBe("Hello from bob");
    expect((await account(pool, "alice")).disabled_reason).toBe("refresh-token-invalidated");
  });

  test("that cannot be renewed for a passing reason make their account cool down", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice", expiresInSeconds: -60 }, { alias: "bob" }],
    });
    pool.mock.faults.add({ on: "token", answer: { status: 503, body: {} } });
    expect(await createSseClient(pool.url, "s1").turn("hello")).toBe("Hello from bob");
    const alice = await account(pool, "alice");
    expect(alice).toMatchObject({ enabled: true, cooldown_reason: "auth-refresh-failed" });
  });

  test("that cannot be read affect only their account", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice" }, { alias: "bob" }],
      prepare: (layout) => Bun.write(`${layout.accounts}/alice/auth.json`, "{ not json"),
    });
    expect(await createSseClient(pool.url, "s1").turn("hello")).toBe("Hello from bob");
    expect((await account(pool, "alice")).disabled_reason).toBe("missing-auth");
    expect(pool.warnings.join()).toContain("account alice: reading");
  });

  test("while all accounts are disabled by a person, cause an error that names one to enable", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    for (const alias of ["alice", "bob"]) await pool.accounts.serve(alias, "disable");
    const text = await (await post(pool, "s1", { originator: "codex_exec" })).text();
    expect(text).toEndWith("; enable an account with: codexlb account enable alice");
  });

  test("that no account has cause an error that says what to do, never a 401", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    pool.mock.accounts.revoke(pool.mock.accounts.byAlias("alice"));
    const answer = await post(pool, "s1");
    // Codex repeats a turn after a 5xx for half a minute, and ends it after a 400.
    expect(answer.status).toBe(400);
    const { error } = (await answer.json()) as { error: { code: string; message: string } };
    expect(error.code).toBe("no_account_available");
    expect(error.message).toContain("codexlb account login");
    // Codex shows the whole body.
    const codex = await post(pool, "s1", { originator: "codex_exec" });
    expect([codex.status, await codex.text()]).toEqual([400, error.message]);
    // A proxy in front tries its other upstreams only after a 5xx.
    const front = await post(pool, "s1", { originator: "codex_exec", "x-codexlb-hops": "front~1" });
    expect([front.status, (await front.json()) as unknown]).toEqual([503, { error }]);
    await using drained = await startPool({ accounts: [{ alias: "alice" }] });
    await drained.accounts.serve("alice", "drain");
    expect((await post(drained, "s1")).status).toBe(400);
    await using empty = await startPool({ accounts: [] });
    expect(await (await post(empty, "s1")).json()).toMatchObject({ error: { code: "no_accounts" } });
  });
});

async function account(pool: TestPool, alias: string) {
  const found = (await pool.status()).accounts.find((one) => one.alias === alias);
  if (found === undefined) throw new Error(`no account ${alias}`);
  return found;
}

function post(pool: TestPool, session: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${pool.url}/backend-api/codex/responses`, {
    method: "POST",
    headers: { "content-type": "application/json", "session-id": session, ...headers },
    body: JSON.stringify({ model: "m", input: [{ role: "user", content: "hello" }] }),
  });
}

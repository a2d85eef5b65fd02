// Tests that the simulated backend refuses what the real one was observed to refuse.

import { describe, expect, test } from "bun:test";
import WebSocket from "ws";
import type { MockAccountOptions } from "../../src/mock/accounts.ts";
import { type MockBackend, startMock } from "../../src/mock/backend.ts";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { createFaultScript, FAULT_EXAMPLES } from "../../src/mock/faults.ts";
import { fakeClock } from "../support/clock.ts";
import { outcome } from "../support/outcome.ts";
import { startPool } from "../support/pool.ts";

function started(turns = 10, more: Partial<MockAccountOptions> = {}) {
  const clock = fakeClock(Date.now());
  const mock = startMock({ accounts: [{ alias: "alice", turns, ...more }, { alias: "bob" }], clock });
  return { mock, clock, [Symbol.asyncDispose]: () => mock.stop() };
}
const credentials = (mock: MockBackend, alias: string, expiresInSeconds?: number) => {
  const { tokens } = JSON.parse(mock.authFile(alias, expiresInSeconds));
  return {
    authorization: `Bearer ${tokens.access_token}`,
    "chatgpt-account-id": tokens.account_id as string,
  };
};
const post = (mock: MockBackend, headers: Record<string, string>, body: unknown) =>
  fetch(`${mock.baseUrl}/codex/responses`, { method: "POST", headers, body: JSON.stringify(body) });

describe("credentials", () => {
  test("are refused if they are expired, of another account, or missing", async () => {
    await using s = started();
    const good = credentials(s.mock, "alice");
    const cases = [
      {},
      { ...good, authorization: "Bearer x" },
      { ...good, "chatgpt-account-id": "mock-bob" },
      credentials(s.mock, "alice", -1),
    ];
    for (const headers of cases) expect((await post(s.mock, headers, { input: [] })).status).toBe(401);
    expect((await post(s.mock, good, { input: [] })).status).toBe(200);
    s.clock.advance(3_601_000);
    expect((await post(s.mock, good, { input: [] })).status).toBe(401);
  });

  test("are renewed once per refresh token", async () => {
    await using s = started();
    const refresh = async (refresh_token: string) => {
      const answer = await fetch(s.mock.tokenUrl, {
        method: "POST",
        body: JSON.stringify({ refresh_token }),
      });
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
    };
    const { tokens } = JSON.parse(s.mock.authFile("alice"));
    const first = await refresh(tokens.refresh_token);
    expect(first.status).toBe(200);
    expect(await refresh(tokens.refresh_token)).toMatchObject({
      status: 401,
      body: { error: { code: "refresh_token_reused" } },
    });
    expect((await refresh(String(first.body.refresh_token))).status).toBe(200);
  });
});

describe("a quota", () => {
  test("runs out, is reported everywhere, and is full again after the reset", async () => {
    await using s = started(2);
    const headers = credentials(s.mock, "alice");
    const used = async () =>
      (
        (await (await fetch(`${s.mock.baseUrl}/wham/usage`, { headers })).json()) as {
          rate_limit: { primary_window: { used_percent: number } };
        }
      ).rate_limit.primary_window.used_percent;
    expect(await used()).toBe(0);
    expect((await post(s.mock, headers, { input: [] })).headers.get("x-codex-primary-used-percent")).toBe(
      "50",
    );
    await post(s.mock, headers, { input: [] });
    expect(await used()).toBe(100);
    const refused = await post(s.mock, headers, { input: [] });
    expect(refused.status).toBe(429);
    const { error } = (await refused.json()) as { error: { type: string; resets_at: number } };
    expect(error.type).toBe("usage_limit_reached");
    s.clock.advance(error.resets_at * 1000 - s.clock.now() + 1000);
    expect((await post(s.mock, credentials(s.mock, "alice"), { input: [] })).status).toBe(200);
  });
});

describe("a request", () => {
  test("with another account's ciphertext, or an earlier response over HTTP, is refused", async () => {
    await using s = started();
    const alien = { input: [{ type: "reasoning", encrypted_content: "mock-ciphertext:mock-bob:r" }] };
    const answer = await post(s.mock, credentials(s.mock, "alice"), alien);
    expect([answer.status, await answer.json()]).toMatchObject([
      400,
      { error: { code: "invalid_encrypted_content" } },
    ]);
    expect((await post(s.mock, credentials(s.mock, "bob"), alien)).status).toBe(200);
    expect(
      (await post(s.mock, credentials(s.mock, "bob"), { input: [], previous_response_id: "x" })).status,
    ).toBe(400);
  });

  test("may refer to an earlier response on the same socket only", async () => {
    await using s = started();
    const headers = credentials(s.mock, "alice");
    const client = createSocketClient(s.mock.origin, "s", headers);
    expect(await client.turn("one")).toBe("Hello from alice");
    expect(await client.turn("two")).toBe("Hello from alice");
    client.close();
    const messages = s.mock.requests.filter((one) => one.point === "message");
    expect(messages.length).toBe(2);
    expect(JSON.stringify(messages[1]?.json)).toContain("previous_response_id");
  });
});

test("a WebSocket announces its largest message, accepts that size, and closes with 1009 at a larger one", async () => {
  await using s = started();
  const socket = new WebSocket(`${s.mock.baseUrl.replace(/^http/, "ws")}/codex/responses`, {
    headers: credentials(s.mock, "alice"),
  });
  const limit = new Promise((resolve) =>
    socket.once("upgrade", ({ headers }) => resolve(headers["x-codex-websocket-max-message-bytes"])),
  );
  await new Promise((resolve) => socket.once("open", resolve));
  expect(await limit).toBe("16777216");
  const answered = new Promise((resolve) => socket.once("message", (data) => resolve(data.toString())));
  socket.send("x".repeat(16_777_216));
  expect(await answered).toContain("the message is not a request");
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.send("x".repeat(16_777_217));
  expect(await closed).toBe(1009);
});

test("faults match the requests, moments and counts that they name", async () => {
  await using s = started();
  const scripted = await fetch(`${s.mock.origin}/__mock/faults`, {
    method: "POST",
    body: JSON.stringify([{ on: "turn", account: "alice", skip: 1, times: 1, answer: { status: 503 } }]),
  });
  expect(scripted.status).toBe(200);
  const statuses = [];
  for (const alias of ["alice", "bob", "alice", "alice"])
    statuses.push((await post(s.mock, credentials(s.mock, alias), { input: [] })).status);
  expect(statuses).toEqual([200, 200, 503, 200]);
  const wrong = await fetch(`${s.mock.origin}/__mock/faults`, { method: "POST", body: '{"on":"nowhere"}' });
  expect(wrong.status).toBe(400);
  s.mock.faults.add({ on: "turn", cutAfter: 2, end: "reset" });
  expect(await outcome(createSseClient(s.mock.origin, "s", credentials(s.mock, "bob")).turn("x"))).toThrow();
});

test("faults that cannot happen are refused, and an empty list clears", async () => {
  await using s = started();
  const send = async (body: unknown) => {
    const answer = await fetch(`${s.mock.origin}/__mock/faults`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    return [answer.status, ((await answer.json()) as { message?: string }).message];
  };
  const invalid = (why: string) => [400, `the faults are not valid: ${why}`];
  expect(await send({ on: "turn" })).toEqual(
    invalid("fault 1: has no effect: add delayMs, answer, events, cutAfter, gateAfter, end, reset or hang"),
  );
  expect(
    await send([
      { on: "turn", hang: true },
      { on: "turn", account: "carol", hang: true },
    ]),
  ).toEqual(invalid('fault 2: there is no account "carol" (accounts: alice, bob)'));
  expect(await send([{ hang: true }])).toEqual(invalid("fault 1: on: is missing"));
  expect(await send([{ on: "turn", answer: { status: "503" } }])).toEqual(
    invalid("fault 1: answer.status: must be a number"),
  );
  expect(await send([{ on: "turn", answer: { status: 503 } }])).toEqual([200, undefined]);
  const turn = async () => (await post(s.mock, credentials(s.mock, "alice"), { input: [] })).status;
  expect(await turn()).toBe(503);
  expect(await send([])).toEqual([200, undefined]);
  expect(await turn()).toBe(200);
});

test("the examples of faults do what they say", async () => {
  const [limit, overload, cut] = Object.values(FAULT_EXAMPLES);
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  const script = (list: string | undefined) =>
    fetch(`${pool.mock.origin}/__mock/faults`, { method: "POST", body: list ?? "" });
  const turn = (session: string) => createSseClient(pool.url, session).turn("hello");
  const cooldownOf = async (alias: string) =>
    (await pool.status()).accounts.find((account) => account.alias === alias)?.cooldown_reason;
  expect((await script(cut)).status).toBe(200);
  // The client sends the turn again.
  expect(await turn("s1")).toBe("Hello from alice");
  expect(pool.mock.requests.filter(({ point }) => point === "sse").length).toBe(2);
  expect((await script("[]")).status).toBe(200);
  await script(overload);
  expect(await turn("s2")).toBe("Hello from bob");
  expect(await cooldownOf("alice")).toBe("http-503");
  await pool.accounts.serve("alice", "enable");
  await script(limit);
  expect(await createSseClient(pool.url, "s1").turn("hello")).toBe("Hello from bob");
  expect(await cooldownOf("alice")).toBe("usage-limit");
});

test("a response waits at its gate until it is released, over either transport", async () => {
  await using s = started();
  s.mock.faults.add({ on: "turn", gateAfter: 2 });
  const headers = credentials(s.mock, "alice");
  for (const client of [createSseClient, createSocketClient]) {
    const turns = client(s.mock.origin, "s1", headers);
    const turn = turns.turn("hello");
    const first = await Promise.race([
      turn,
      post(s.mock, headers, {}).then(async (other) => other.body?.cancel()),
    ]);
    expect(first).toBeUndefined();
    s.mock.faults.release();
    s.mock.faults.release();
    expect(await turn).toBe("Hello from alice");
    turns.close();
  }
});

test("a release frees a waiting response, or is kept for the next", async () => {
  const script = createFaultScript();
  const went: string[] = [];
  let isGone = false;
  const wait = (name: string, gone: () => boolean) => script.released(gone).then(() => void went.push(name));
  void wait("gone", () => isGone);
  const stays = wait("stays", () => false);
  isGone = true;
  script.release();
  await stays;
  script.release();
  await wait("comes", () => false);
  expect(went).toEqual(["stays", "comes"]);
});

test("an account can have its own catalogue, and its turns name that version", async () => {
  const clock = fakeClock(Date.now());
  const models = { models: [{ slug: "only-bob" }] };
  const mock = startMock({
    accounts: [{ alias: "alice" }, { alias: "bob", models }, { alias: "carol" }],
    clock,
  });
  await using _ = { [Symbol.asyncDispose]: () => mock.stop() };
  const catalogue = async (alias: string) => {
    const response = await fetch(`${mock.baseUrl}/codex/models`, { headers: credentials(mock, alias) });
    return { etag: response.headers.get("etag"), body: await response.json() };
  };
  const bob = await catalogue("bob");
  expect(bob.body).toEqual(models);
  const alice = await catalogue("alice");
  expect(alice.body).toEqual({ models: [] });
  expect((await catalogue("carol")).etag).toBe(alice.etag);
  expect(bob.etag).not.toBe(alice.etag);
  const turn = await post(mock, credentials(mock, "bob"), { input: [] });
  expect(turn.headers.get("x-models-etag")).toBe(bob.etag);

  const change = (body: unknown) =>
    fetch(`${mock.origin}/__mock/models`, { method: "POST", body: JSON.stringify(body) });
  expect((await change({ alias: "bob", models: [{ slug: "new" }] })).status).toBe(200);
  const changed = await catalogue("bob");
  expect(changed.body).toEqual({ models: [{ slug: "new" }] });
  expect(changed.etag).not.toBe(bob.etag);
  for (const wrong of [{ alias: "dave", models: [] }, { alias: "bob" }, 1])
    expect((await change(wrong)).status).toBe(400);
});

test("errors of the control paths say what is wrong and what to send", async () => {
  await using s = started();
  const cases: [string, unknown, string, string][] = [
    ["faults", [{ on: "nothing" }], "the faults are not valid", 'send [{"on": "turn"'],
    ["faults", [{ on: "turn", tmes: 1 }], "tmes", 'send [{"on": "turn"'],
    ["models", { alias: "carol", models: [] }, '"alias" must name an account', 'send {"alias"'],
    ["login", { alias: "carol" }, '"alias" must name an account', "one of: alice, bob"],
    ["sign-in", { scenario: "x" }, "the scenario is not known", "plain, slow"],
    ["fault", {}, "no such control path", "/__mock/faults"],
  ];
  for (const [path, body, message, next] of cases) {
    const answer = await fetch(`${s.mock.origin}/__mock/${path}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    expect([path, answer.status]).toEqual([path, 400]);
    expect(await answer.json()).toMatchObject({
      error: expect.any(String),
      code: "invalid_request",
      message: expect.stringContaining(message),
      next: expect.stringContaining(next),
    });
  }
});

describe("reset credits", () => {
  const at = (mock: MockBackend, path = "") => `${mock.baseUrl}/wham/rate-limit-reset-credits${path}`;
  const redeem = async (mock: MockBackend, body: unknown) => {
    const answer = await fetch(at(mock, "/consume"), {
      method: "POST",
      headers: credentials(mock, "alice"),
      body: JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.json() };
  };

  test("reset the windows, each once, and a repeated request spends no second one", async () => {
    await using s = started(2, { resets: 2 });
    const { mock, clock } = s;
    const headers = credentials(mock, "alice");
    const list = async () => (await fetch(at(mock), { headers })).json();
    const [first, second] = ["1", "2"].map((number) => `RateLimitResetCredit_alice_${number}`);
    expect(await list()).toMatchObject({ available_count: 2, credits: [{ id: first }, { id: second }] });
    expect(await redeem(mock, { redeem_request_id: "a" })).toEqual({
      status: 200,
      body: { code: "nothing_to_reset" },
    });
    await (await post(mock, headers, { input: [] })).text();
    expect((await redeem(mock, { redeem_request_id: "a", credit_id: second })).body).toMatchObject({
      code: "reset",
      windows_reset: 2,
      credit: { id: second, status: "redeemed" },
    });
    expect(mock.accounts.byAlias("alice").used).toBe(0);
    expect((await redeem(mock, { redeem_request_id: "a", credit_id: second })).body).toEqual({
      code: "already_redeemed",
    });
    expect(await list()).toMatchObject({ available_count: 1, credits: [{ id: first }] });
    expect((await redeem(mock, { redeem_request_id: "b", credit_id: second })).body).toEqual({
      code: "no_credit",
    });
    expect((await redeem(mock, {})).status).toBe(422);
    clock.advance(31 * 24 * 3_600_000);
    const later = await fetch(at(mock), { headers: credentials(mock, "alice") });
    expect(await later.json()).toEqual({ available_count: 0, credits: [] });
  });

  test("are unknown for an account without the option", async () => {
    await using s = started();
    const headers = credentials(s.mock, "alice");
    expect((await fetch(at(s.mock), { headers })).status).toBe(404);
    const usage = await fetch(`${s.mock.baseUrl}/wham/usage`, { headers });
    expect(await usage.json()).not.toHaveProperty("rate_limit_reset_credits");
  });
});

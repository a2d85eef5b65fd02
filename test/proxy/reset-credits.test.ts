// Which reset credits Codex sees through the proxy, and which account its request resets.

import { describe, expect, test } from "bun:test";
import { remoteKeys } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { startPool, type TestPool, type TestPoolOptions, until } from "../support/pool.ts";

const PATH = "/backend-api/wham/rate-limit-reset-credits";
const RESET = "RateLimitResetCredit";

interface Listed {
  readonly credits: readonly { readonly id: string; readonly title: string; readonly expires_at: string }[];
  readonly available_count: number;
}

async function startWithCredits(options: Partial<TestPoolOptions> = {}) {
  const pool = await startPool({
    accounts: [
      { alias: "alice", turns: 1, resets: 1 },
      { alias: "bob", turns: 1, resets: 2 },
      { alias: "carol" },
    ],
    ...options,
  });
  await until(
    "the lists came",
    () => pool.mock.requests.filter(({ point }) => point === "resets").length === 2,
  );
  return pool;
}

const list = async ({ url }: TestPool, prefix = ""): Promise<Listed> =>
  (await (await fetch(`${url}${prefix}${PATH}`)).json()) as Listed;

const consume = async ({ url }: TestPool, body: unknown, headers: Record<string, string> = {}) => {
  const answer = await fetch(`${url}${PATH}/consume`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};

const redeemers = ({ mock }: TestPool) =>
  mock.requests.filter(({ point }) => point === "redeem").map(({ account }) => account);

const exhaust = async (pool: TestPool, ...aliases: readonly string[]) => {
  for (const alias of aliases) {
    await pool.accounts.pin(alias);
    await createSseClient(pool.url, `of ${alias}`).turn("hi");
  }
};

describe("Codex behind the proxy", () => {
  test("sees the credits of all accounts in service, with the account in the title", async () => {
    await using pool = await startWithCredits();
    const all = await list(pool);
    expect(all.available_count).toBe(3);
    expect(all.credits.map(({ id }) => id)).toEqual([`${RESET}_bob_1`, `${RESET}_alice_1`, `${RESET}_bob_2`]);
    expect(all.credits[0]).toMatchObject({
      title: "bob: Full reset (Weekly + 5 hr)",
      status: "available",
      reset_type: "codex_rate_limits",
      granted_at: expect.stringMatching(/Z$/),
      expires_at: expect.stringMatching(/Z$/),
    });
    const usage = await (await fetch(`${pool.url}/backend-api/wham/usage`)).json();
    expect(usage).toMatchObject({ rate_limit_reset_credits: { available_count: 3 } });
    expect((await list(pool, "/@run00001:alice")).credits.map(({ id }) => id)).toEqual([`${RESET}_alice_1`]);
    await pool.accounts.serve("bob", "disable");
    expect((await list(pool)).available_count).toBe(1);
  });

  test("resets the account whose credit it chose, once, however often it repeats the request", async () => {
    await using pool = await startWithCredits();
    await exhaust(pool, "alice", "bob");
    const request = { redeem_request_id: "0199-a", credit_id: `${RESET}_bob_2` };
    expect(await consume(pool, request)).toEqual({ status: 200, body: { code: "reset", windows_reset: 2 } });
    expect(await consume(pool, request)).toEqual({
      status: 200,
      body: { code: "already_redeemed", windows_reset: 2 },
    });
    expect(redeemers(pool)).toEqual(["bob"]);
    expect(pool.mock.requests.find(({ point }) => point === "redeem")?.json).toEqual(request);
    expect((await list(pool)).credits.map(({ id }) => id)).toEqual([`${RESET}_bob_1`, `${RESET}_alice_1`]);
    expect((await consume(pool, { ...request, redeem_request_id: "0199-b" })).body).toEqual({
      code: "no_credit",
      windows_reset: 0,
    });
  });

  test("repeats a request whose answer was lost with the same id", async () => {
    await using pool = await startWithCredits();
    await exhaust(pool, "alice");
    pool.mock.faults.add({ on: "redeem", times: 1, reset: true });
    const request = { redeem_request_id: "0199-c", credit_id: `${RESET}_alice_1` };
    expect(await consume(pool, request)).toMatchObject({ status: 502 });
    expect((await consume(pool, request)).body).toMatchObject({ code: "reset" });
    expect(redeemers(pool)).toEqual(["alice", "alice"]);
  });

  test("that names no credit resets an exhausted account, if there is one", async () => {
    await using pool = await startWithCredits();
    expect((await consume(pool, { redeem_request_id: "0199-d" })).body).toMatchObject({
      code: "nothing_to_reset",
    });
    await exhaust(pool, "alice");
    expect((await consume(pool, { redeem_request_id: "0199-e" })).body).toMatchObject({ code: "reset" });
    expect(redeemers(pool)).toEqual(["alice"]);
    expect((await consume(pool, {})).status).toBe(400);
  });
});

test("a client with a key sees no credits and spends none", async () => {
  await using pool = await startWithCredits({ config: "[proxy]\nclient_auth = true\n" });
  const key = await remoteKeys(socketDoor(pool.layout.adminSocket)).add(
    "friend",
    "client",
    undefined,
    undefined,
  );
  const headers = { authorization: `Bearer ${key}` };
  const listed = await fetch(`${pool.url}${PATH}`, { headers });
  expect(await listed.json()).toEqual({ credits: [], available_count: 0 });
  const refused = await consume(pool, { redeem_request_id: "x", credit_id: `${RESET}_bob_1` }, headers);
  expect(refused).toMatchObject({ status: 403, body: { error: { code: "path_refused" } } });
  expect(redeemers(pool)).toEqual([]);
});

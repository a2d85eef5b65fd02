import { describe, expect, test } from "bun:test";
import { limitBody, startPool, until } from "../support/pool.ts";

describe("polled figures", () => {
  test("that were requested before a limit do not end it", async () => {
    const reset = Math.floor(Date.now() / 1000) + 3600;
    await using pool = await startPool({
      accounts: [{ alias: "alice" }],
      // The first request is answered only after the turn below has reached its limit.
      prepare: (_layout, mock) => mock.faults.add({ on: "usage", times: 1, delayMs: 300 }),
    });
    pool.mock.faults.add({ on: "sse", times: 1, answer: { status: 429, body: { error: limitBody(reset) } } });
    const turn = () =>
      fetch(`${pool.url}/backend-api/codex/responses`, { method: "POST", body: '{"input":[]}' });
    expect((await turn()).status).toBe(429);
    await until("the figures came", async () => (await pool.status()).accounts[0]?.weekly_left_pct === 100);
    expect((await turn()).status).toBe(429);
    expect((await pool.status()).accounts[0]).toMatchObject({ healthy: false, daily_left_pct: 0 });
  });

  test("that are newer than a limit end it", async () => {
    const reset = Math.floor(Date.now() / 1000) + 3600;
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    pool.mock.faults.add({ on: "usage", times: 1, answer: { status: 503 } });
    pool.mock.faults.add({ on: "sse", times: 1, answer: { status: 429, body: { error: limitBody(reset) } } });
    const turn = () =>
      fetch(`${pool.url}/backend-api/codex/responses`, { method: "POST", body: '{"input":[]}' });
    expect((await turn()).status).toBe(429);
    await until("the limit has ended", async () => {
      await fetch(`${pool.url}/status?refresh=1`);
      return (await pool.status()).accounts[0]?.healthy === true;
    });
    expect((await turn()).status).toBe(200);
  });

  test("that a rejected login cannot request disable the account, and cause a warning", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice" }],
      prepare: (_layout, mock) => mock.accounts.revoke(mock.accounts.byAlias("alice")),
    });
    await until("it is disabled", async () => (await pool.status()).accounts[0]?.enabled === false);
    expect(pool.warnings).toEqual([
      "account alice is disabled: login expired; log in again with: codexlb account login alice",
    ]);
    const events = await pool.stopAndReadEvents();
    expect(events.filter((event) => event.event === "account.disabled").length).toBe(1);
  });

  test("come from every account at the start, and an expired token is renewed for them", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice", expiresInSeconds: -5 }, { alias: "bob" }],
    });
    await until("figures are known", async () =>
      (await pool.status()).accounts.every((one) => one.daily_left_pct === 100),
    );
    expect(
      pool.mock.requests
        .filter((one) => one.point === "usage")
        .map((one) => one.account)
        .sort(),
    ).toEqual(["alice", "bob"]);
  });
});

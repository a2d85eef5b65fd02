// Reset credits as a running proxy reads them, over the simulated backend.

import { describe, expect, test } from "bun:test";
import { AccountAnswer } from "../../src/core/status-schema.ts";
import { readTextIfPresent } from "../../src/state/atomic-file.ts";
import { startPool, type TestPool, until } from "../support/pool.ts";

const DAY_S = 24 * 3_600;

async function creditsOf({ url }: TestPool, alias: string) {
  const status = (await (await fetch(`${url}/status`)).json()) as { accounts: { alias: string }[] };
  const account = status.accounts.find((one) => one.alias === alias);
  return AccountAnswer.parse(account).reset_credits;
}

const requestsFor = ({ mock }: TestPool, point: string) =>
  mock.requests.filter((request) => request.point === point).length;

const refresh = ({ url }: TestPool) => fetch(`${url}/status?refresh=1`);

describe("reset credits", () => {
  test("are read with the usage, and their list only if there are some", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice", resets: 2 }, { alias: "bob", resets: 0 }, { alias: "carol" }],
    });
    await until("the list came", async () => ((await creditsOf(pool, "alice"))?.expires_at ?? 0) > 0);
    const known = await creditsOf(pool, "alice");
    const days = ((known?.expires_at ?? 0) - Date.now() / 1000) / DAY_S;
    expect(known?.count).toBe(2);
    expect(Math.round(days)).toBe(29);
    expect((await creditsOf(pool, "bob"))?.count).toBe(0);
    expect(await creditsOf(pool, "carol")).toBeUndefined();
    expect(
      pool.mock.requests.filter(({ point }) => point === "resets").map(({ account }) => account),
    ).toEqual(["alice"]);
    await pool.daemon.stop("test");
    const stored = JSON.parse(readTextIfPresent(pool.layout.store) ?? "");
    expect(stored.accounts[0].codexlb.reset_credits).toMatchObject({ count: 2, credits: [{}, {}] });
  });

  test("whose list is refused are still counted, and the account stays in service", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice", resets: 1 }],
      prepare: (_layout, mock) => mock.faults.add({ on: "resets", answer: { status: 404 } }),
    });
    await until("the number came", async () => (await creditsOf(pool, "alice"))?.count === 1);
    await until("the list was requested", () => requestsFor(pool, "resets") === 1);
    expect((await creditsOf(pool, "alice"))?.expires_at).toBe(0);
    expect((await pool.status()).accounts[0]).toMatchObject({ healthy: true, enabled: true });
    await refresh(pool);
    expect(requestsFor(pool, "resets")).toBe(1);
  });

  test("that the backend no longer reports keep their last number", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice", resets: 1 }] });
    await until("the number came", async () => (await creditsOf(pool, "alice"))?.count === 1);
    const account = pool.mock.accounts.byAlias("alice");
    account.resets = undefined;
    await refresh(pool);
    expect((await creditsOf(pool, "alice"))?.count).toBe(1);
  });
});

// Tests a running proxy whose clock is set back.

import { expect, test } from "bun:test";
import { skippingClock } from "../support/clock.ts";
import { startPool, until } from "../support/pool.ts";

test("a cooldown after a fault ends as if the clock had not been set back, and new figures are accepted", async () => {
  const clock = skippingClock();
  const accounts = [{ alias: "alice" }, { alias: "bob" }];
  await using pool = await startPool({ accounts, clock });
  pool.mock.faults.add({
    on: "sse",
    account: "alice",
    answer: { status: 503, body: "", headers: { "retry-after": "600" } },
  });
  const turn = () =>
    fetch(`${pool.url}/backend-api/codex/responses`, {
      method: "POST",
      headers: { "session-id": "s" },
      body: '{"model":"m","input":[],"stream":true}',
    }).then((response) => response.text());
  const alice = async () => (await pool.status()).accounts.find(({ alias }) => alias === "alice");
  await turn();
  const left = (await alice())?.cooldown_seconds ?? 0;
  expect(left).toBeGreaterThan(500);
  clock.setBack(24 * 3_600_000);
  clock.skip(2_000);
  expect((await alice())?.cooldown_seconds).toBeLessThanOrEqual(left);
  expect(pool.warnings.join()).toContain("the system clock was set back by 86400 s");
  clock.skip(600_000);
  expect(await alice()).toMatchObject({ cooldown_seconds: 0, healthy: true });
  const polls = () => pool.mock.requests.filter(({ point }) => point === "usage").length;
  const before = polls();
  await until("figures are asked for again", () => {
    clock.skip(60_000);
    return polls() > before;
  });
});

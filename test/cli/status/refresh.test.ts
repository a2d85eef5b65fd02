// `codexlb status --refresh` shows new figures, names the accounts without them, and does not wait forever.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { refreshWarnings } from "../../../src/cli/status/refresh.ts";
import { StatusAnswer } from "../../../src/core/status-schema.ts";
import { runCli } from "../../support/cli.ts";
import { fakeClock } from "../../support/clock.ts";
import { startPool, until } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

let temp: TempDirectory;
beforeAll(() => {
  temp = tempDirectory();
});
afterAll(() => temp[Symbol.dispose]());

test("fetches the figures of every account, and warns about accounts for which that fails", async () => {
  const clock = fakeClock();
  await using pool = await startPool({ clock, accounts: [{ alias: "alice" }, { alias: "bob" }] });
  const polls = () => pool.mock.requests.filter(({ point }) => point === "usage");
  await until("figures are known", async () =>
    (await pool.status()).accounts.every(({ daily_left_pct }) => daily_left_pct >= 0),
  );
  const status = (...args: string[]) =>
    runCli(["status", "--proxy-url", pool.url, ...args], { cwd: temp.path });
  const before = polls().length;
  expect((await status()).code).toBe(0);
  expect(polls().length).toBe(before);
  clock.advance(11_000);
  expect(await status("--refresh", "--short")).toMatchObject({ code: 0, err: "" });
  expect(
    polls()
      .slice(before)
      .map(({ account }) => account),
  ).toEqual(["alice", "bob"]);
  clock.advance(11_000);
  pool.mock.faults.add({ on: "usage", account: "bob", answer: { status: 503 } });
  const failed = await status("--refresh", "--json");
  expect(failed.code).toBe(0);
  expect(JSON.parse(failed.out).refresh_failed).toEqual([
    { alias: "bob", why: "the usage endpoint returned 503" },
  ]);
  expect(failed.err).toStartWith(
    "codexlb: warning: the figures of bob could not be refreshed: the usage endpoint returned 503\n",
  );
});

test("shows the known figures if the proxy does not answer in time", async () => {
  const clock = fakeClock();
  await using pool = await startPool({ clock, accounts: [{ alias: "alice" }] });
  await until("figures are known", async () => (await pool.status()).accounts[0]?.daily_left_pct === 100);
  clock.advance(11_000);
  pool.mock.faults.add({ on: "usage", hang: true });
  const ran = await runCli(["status", "--proxy-url", pool.url, "--refresh", "--timeout", "200ms"], {
    cwd: temp.path,
  });
  expect(ran.code).toBe(0);
  expect(ran.out).toContain("alice");
  expect(ran.err).toBe(
    "codexlb: warning: the proxy did not fetch new figures within 200 ms; these are its last known figures\n",
  );
});

test("old figures of child proxies, and of a proxy that reports no failures, are named", () => {
  const account = (alias: string, proxy_name: string, age_seconds: number) => ({
    alias,
    proxy_name,
    id: alias,
    active: false,
    pinned: false,
    healthy: true,
    enabled: true,
    cooldown_seconds: 0,
    daily_left_pct: 1,
    weekly_left_pct: 1,
    daily_reset_at: 0,
    weekly_reset_at: 0,
    score: 1,
    figures: [{ window: "weekly", source: "usage_api", age_seconds }],
  });
  const accounts = [
    account("alice", "front", 600),
    account("bob", "leaf", 600),
    account("carol", "leaf", 12),
  ];
  const document = { proxy_name: "front", accounts };
  expect(refreshWarnings(StatusAnswer.parse({ ...document, refresh_failed: [] }), 0)).toEqual([
    "the figures of bob on leaf could not be refreshed: they are 600 s old",
  ]);
  expect(refreshWarnings(StatusAnswer.parse(document), 0).length).toBe(2);
});

// `codexlb simulate` on roots with a known history: what it measures and finds, and when it gives no figures.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { contextOf } from "../../../src/cli/context.ts";
import { type SimulationRequest, simulateHistory } from "../../../src/cli/simulate/simulate-history.ts";
import { newBilling } from "../../../src/core/api-billing.ts";
import { startOfDay } from "../../../src/core/local-days.ts";
import { accountChanges } from "../../../src/core/replay/account-changes.ts";
import type { SimulationReport } from "../../../src/core/replay/simulation-report.ts";
import { newAccount } from "../../../src/state/account-record.ts";
import { layoutOf } from "../../../src/state/layout.ts";
import { openStore } from "../../../src/state/store.ts";
import { fakeClock } from "../../support/clock.ts";
import { hashOfDirectory } from "../../support/directory-hash.ts";
import { outcome } from "../../support/outcome.ts";
import { PAST_MODEL, PAST_TURN_USD, type Past, writePast } from "../../support/past-root.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";
import { NOON } from "../../support/turn-record.ts";

/** alice and bob have the same plan. Together they have more quota than is used; each alone has less. */
const PAST: Past = {
  accounts: [
    { alias: "alice", plan: "plus", shortUsd: 3, weekUsd: 10 },
    { alias: "bob", plan: "plus", shortUsd: 3, weekUsd: 10 },
  ],
  nowMs: NOON,
  days: 20,
};

let temp: TempDirectory;
let count = 0;
beforeAll(() => {
  temp = tempDirectory();
});
afterAll(() => temp[Symbol.dispose]());

const rootWith = (past: Past): string => {
  const root = join(temp.path, `root${count++}`);
  writePast(layoutOf(root), past);
  return root;
};

const simulate = (root: string, request: Partial<SimulationRequest> = {}): Promise<SimulationReport> =>
  simulateHistory(contextOf(root), {
    sinceMs: startOfDay(NOON, -14),
    nowMs: NOON,
    policies: undefined,
    changes: undefined,
    ...request,
  });

const changesIn = (text: string) => {
  const changes = accountChanges(text);
  if ("wrong" in changes) throw new Error(`wrong change ${changes.wrong}`);
  return changes;
};

describe("two accounts whose quota is known", () => {
  let root = "";
  let report: SimulationReport;
  beforeAll(async () => {
    root = rootWith(PAST);
    report = await simulate(root);
  });

  test("the sizes of their windows are within the stated error, which is small", () => {
    expect(report.accounts.map(({ alias, plan, source }) => [alias, plan, source])).toEqual([
      ["alice", "plus", "own"],
      ["bob", "plus", "own"],
    ]);
    for (const { windows } of report.accounts)
      for (const [index, size] of [3, 10].entries()) {
        const { size_usd = 0, error = 0 } = windows[index] ?? {};
        expect(error).toBeGreaterThan(0);
        expect(error).toBeLessThan(0.1);
        expect(Math.abs(size_usd / size - 1)).toBeLessThanOrEqual(error);
      }
  });

  test("all policies serve all turns, at the cost of the record if no session moves", () => {
    const all = report.scenarios.filter(({ without }) => without.length === 0);
    expect(all.map(({ policy }) => policy)).toEqual([
      "usage_balanced",
      "sticky",
      "round_robin",
      "least_in_flight",
      "reset_aware",
    ]);
    expect(report.turns).toBe(14 * 60);
    for (const { refused, wait_hours } of all) expect([refused, wait_hours]).toEqual([0, 0]);
    expect(all[0]?.moves).toBe(0);
    expect(all[0]?.cost_usd).toBeCloseTo(report.turns * PAST_TURN_USD, 6);
    expect(all[0]?.cached).toBeCloseTo(0.8, 6);
  });

  test("one account alone refuses the turns that exceed its weekly window", () => {
    const alone = report.scenarios.filter(({ without }) => without.length > 0);
    expect(alone.map(({ without }) => without)).toEqual([["alice"], ["bob"]]);
    for (const { refused, refused_least, refused_most, refused_times, wait_hours } of alone) {
      // Fourteen days need 27.72 USD, of which two weeks of one account have 20.
      expect(refused).toBeGreaterThan(150);
      expect(refused).toBeLessThan(320);
      expect(refused_least).toBeLessThan(refused);
      expect(refused_most).toBeGreaterThan(refused);
      expect(refused_times.reduce((sum, { turns }) => sum + turns, 0)).toBe(refused);
      expect(wait_hours).toBeGreaterThan(0);
    }
  });

  test("the same history gives the same report, and nothing in the root changes", async () => {
    const before = hashOfDirectory(root);
    expect(await simulate(root)).toEqual(report);
    expect(hashOfDirectory(root)).toBe(before);
  });

  test("an added account of the same plan, a copy, or a larger plan replaces a removed account", async () => {
    for (const [text, size] of [
      ["-bob,+plus", 10],
      ["-bob,+=alice", 10],
      ["-bob,+pro", 200],
    ] as const) {
      const { scenarios, added } = await simulate(root, { changes: changesIn(text) });
      const [now, changed] = scenarios;
      expect([now?.without, now?.added]).toEqual([[], []]);
      expect(changed?.added).toEqual([text.slice("-bob,".length)]);
      expect([text, changed?.without, changed?.refused]).toEqual([text, ["bob"], 0]);
      const week = added[0]?.windows.find(({ kind }) => kind === "weekly");
      expect(Math.abs((week?.size_usd ?? 0) / size - 1)).toBeLessThan(0.1);
    }
  });

  test("without any account, all turns are refused, and wait until the end of the period", async () => {
    const { scenarios, since_ms, until_ms } = await simulate(root, {
      changes: changesIn("-alice,-bob,-alice"),
    });
    expect(scenarios.at(-1)?.without).toEqual(["alice", "bob"]);
    const { refused, refused_times, wait_hours } = scenarios[1] ?? scenarios[0] ?? {};
    expect(refused).toBe(report.turns);
    expect(wait_hours).toBeCloseTo((until_ms - (refused_times?.[0]?.first_ms ?? since_ms)) / 3_600_000, 6);
  });

  test("only the named policies are compared", async () => {
    const { scenarios } = await simulate(root, { policies: ["sticky", "reset_aware"] });
    expect(scenarios.map(({ policy, without }) => [policy, without])).toEqual([
      ["sticky", []],
      ["reset_aware", []],
    ]);
  });

  test("an account or a plan that does not exist is reported", async () => {
    expect(await outcome(simulate(root, { changes: changesIn("-bib") }))).toThrow(
      'no account is called "bib"',
    );
    expect(await outcome(simulate(root, { changes: changesIn("+golden") }))).toThrow(
      'the size of the plan "golden" is unknown',
    );
  });
});

test("configured floors and anchoring are also compared with none", async () => {
  const root = rootWith({
    ...PAST,
    config: '[accounts.alice]\nfloor_weekly = "50%"\n[anchor]\nenabled = true\nat = ["07:00"]\n',
  });
  const { scenarios } = await simulate(root, { policies: ["usage_balanced"] });
  expect(scenarios.map(({ floors, anchoring }) => [floors, anchoring])).toEqual([
    [true, true],
    [false, true],
    [true, false],
  ]);
});

test("an account without a history gets the windows of its plan, and an account of an unknown plan is not simulated", async () => {
  const root = rootWith(PAST);
  const layout = layoutOf(root);
  const store = openStore(layout.store, () => "https://example.com", {
    clock: fakeClock(NOON),
    log: { info: () => {}, warn: () => {} },
  });
  for (const [alias, planType] of [
    ["carol", "plus"],
    ["dave", "prolite"],
    ["erin", "unheard"],
  ] as const) {
    const record = newAccount(alias, join(layout.accounts, alias));
    store.state.accounts.push({ ...record, quota: { ...record.quota, planType } });
  }
  store.touch();
  store.flush();
  const { accounts, unmeasured } = await simulate(root, { policies: ["sticky"] });
  expect(accounts.map(({ alias, source }) => [alias, source])).toEqual([
    ["alice", "own"],
    ["bob", "own"],
    ["carol", "same_plan"],
    ["dave", "plan_size"],
  ]);
  const weeks = accounts.map(({ windows }) => windows.find(({ kind }) => kind === "weekly")?.size_usd ?? 0);
  const [first = 0, second = 0, third = 0, fourth = 0] = weeks;
  expect(third).toBeCloseTo((first + second) / 2, 9);
  expect(fourth).toBeCloseTo(10 * third, 9);
  expect(unmeasured).toEqual(["erin"]);
});

test("an API key is not simulated, and cannot be removed or copied", async () => {
  const root = rootWith(PAST);
  const layout = layoutOf(root);
  const store = openStore(layout.store, () => "https://example.com", {
    clock: fakeClock(NOON),
    log: { info: () => {}, warn: () => {} },
  });
  const billing = newBilling("https://api.openai.com/v1");
  store.state.accounts.push(newAccount("openai", join(layout.accounts, "openai"), { billing }));
  store.touch();
  store.flush();
  const report = await simulate(root, { policies: ["sticky"] });
  expect([report.api_keys, report.unmeasured, report.left_out]).toEqual([["openai"], [], []]);
  for (const text of ["-openai", "+=openai"])
    expect(await outcome(simulate(root, { changes: changesIn(text) }))).toThrow(
      "openai is an API key, which has no windows to simulate",
    );
});

test("own prices of models that were used are noted", async () => {
  const price = (model: string) => `[prices."${model}"]\ninput = 9\ncached_input = 1\noutput = 9\n`;
  const noted = async (model: string) =>
    (await simulate(rootWith({ ...PAST, config: price(model) }), { policies: ["sticky"] })).uses_own_prices;
  expect(await noted(PAST_MODEL)).toBe(true);
  expect(await noted("another-model")).toBe(false);
});

test("a short history gives no figures", async () => {
  expect(await outcome(simulate(rootWith({ ...PAST, days: 2 })))).toThrow(
    "the history is too short: 120 turns on 2 days in the last four weeks",
  );
  expect(await outcome(simulate(join(temp.path, "missing")))).toThrow(
    "the history is too short: 0 turns on 0 days",
  );
});

test("without recording, the next step is to switch it on", async () => {
  const config = "[usage]\nenabled = false\n";
  expect(await outcome(simulate(rootWith({ ...PAST, days: 2, config })))).toThrow(
    expect.objectContaining({
      next: "set usage.enabled = true in config.toml, because turns are not recorded, and run this again after at least 50 turns on 3 days",
    }),
  );
});

test("draining accounts are not simulated", async () => {
  const accounts = PAST.accounts.map((account) => ({ ...account, draining: account.alias === "bob" }));
  const { accounts: simulated, left_out } = await simulate(rootWith({ ...PAST, accounts }));
  expect(simulated.map(({ alias }) => alias)).toEqual(["alice"]);
  expect(left_out).toEqual(["bob"]);
});

// Which accounts a forecast counts, and whether they can serve.

import { describe, expect, test } from "bun:test";
import { DEFAULT_OPTIONS, type SpendFloors } from "../../../src/core/account-options.ts";
import { newBilling } from "../../../src/core/api-billing.ts";
import { candidateOf } from "../../../src/core/availability.ts";
import { capacityOfQuota, plainView } from "../../../src/core/capacity.ts";
import { reportOf } from "../../../src/core/child-report.ts";
import { forecastAccounts } from "../../../src/core/forecast/forecast-accounts.ts";
import { HEALTHY, type Health, healthAt } from "../../../src/core/health.ts";
import type { AccountFacts, PoolFacts } from "../../../src/core/pool-facts.ts";
import { type Quota, UNKNOWN_QUOTA } from "../../../src/core/quota.ts";
import { StatusAnswer } from "../../../src/core/status-schema.ts";
import { newUpstream } from "../../../src/state/account-record.ts";
import { account, NOW } from "../../support/status-documents.ts";

const HOUR_MS = 3_600_000;
const VIEW = { nowMs: NOW, ttlMs: 60_000 };

/** An account that has used so much of its weekly window. */
function own(
  alias: string,
  { used = 40, health = HEALTHY as Health, draining = false, ageMs = 0, quota = {} as Partial<Quota> } = {},
): AccountFacts {
  const known: Quota = {
    ...UNKNOWN_QUOTA,
    planType: "plus",
    main: {
      ...UNKNOWN_QUOTA.main,
      windows: {
        short: undefined,
        weekly: {
          usedPercent: used,
          resetAtMs: NOW + 50 * HOUR_MS,
          windowSeconds: 604_800,
          asOfMs: NOW - ageMs,
          source: "headers",
        },
        monthly: undefined,
      },
      completeAsOfMs: NOW - ageMs,
    },
    ...quota,
  };
  const record = { ...newUpstream(`openai:${alias}`, alias), health, draining, quota: known };
  const capacity = capacityOfQuota(known, { ...plainView(NOW), ttlMs: VIEW.ttlMs });
  return {
    id: record.id,
    alias,
    email: undefined,
    workspace: undefined,
    identity: `identity of ${alias}`,
    health,
    quota: known,
    candidate: candidateOf(record, capacity, healthAt(health, NOW)),
    resetCredits: undefined,
    billing: undefined,
    lastUsedMs: 0,
    lastSwitchReason: undefined,
    sessions: 0,
  };
}

/** The forecast's accounts of a pool, and of a child proxy with the accounts of the document. */
function accountsOf(
  accounts: readonly AccountFacts[],
  remote: readonly object[] = [],
  spendFloors: SpendFloors = "last",
) {
  const answer = StatusAnswer.parse({ proxy_name: "office", proxy_id: "2", accounts: remote });
  const report = reportOf(answer, { name: "laptop", id: "1" }, NOW);
  const facts = { accounts, children: [{ report }], policy: { spendFloors } } as unknown as PoolFacts;
  return forecastAccounts(facts, VIEW);
}

describe("the accounts of a forecast", () => {
  test("have the figures of their windows, however old they are", () => {
    const [alice] = accountsOf([own("alice", { ageMs: 5 * HOUR_MS })]);
    expect(alice).toMatchObject({
      key: "identity of alice",
      plan: "plus",
      inService: true,
      closedUntilMs: 0,
    });
    expect(alice?.summary.windows.weekly?.left).toBeCloseTo(0.6);
    expect(alice?.figures).toMatchObject([
      { kind: "weekly", usedPercent: 40, asOfMs: NOW - 5 * HOUR_MS, serves: true },
    ]);
  });

  test("do not include an API key, which has no windows", () => {
    const billing = newBilling("https://api.example/v1");
    const api_key = { base_url: billing.baseUrl, spent_usd: 0, reserved_usd: 0, reset_at: 0 };
    const remote = [account("key below", { proxy_name: "office", proxy_id: "2", api_key })];
    const all = accountsOf([own("alice"), { ...own("openai"), billing }], remote);
    expect(all.map(({ key }) => key)).toEqual(["identity of alice"]);
  });

  test("serve unless they are exhausted, cooling down, draining or disabled", () => {
    const untilMs = NOW + HOUR_MS;
    const cooling = { kind: "cooling", reason: "usage-limit", sinceMs: NOW, untilMs, faults: 0 } as const;
    const all = accountsOf([
      own("exhausted", { used: 100 }),
      own("limited", { health: { ...cooling, cause: "limit" } }),
      own("faulty", { health: { ...cooling, cause: "fault" } }),
      own("draining", { draining: true }),
      own("disabled", { health: { kind: "disabled", reason: "operator", sinceMs: NOW } }),
    ]);
    expect(
      all.map(({ inService, closedUntilMs, figures }) => [inService, closedUntilMs, figures[0]?.serves]),
    ).toEqual([
      [true, 0, false],
      [true, untilMs, false],
      [true, 0, false],
      [false, 0, false],
      [false, 0, false],
    ]);
  });

  test("have the order in which their quota is spent", () => {
    const alice = own("alice");
    const options = { ...DEFAULT_OPTIONS, priority: 5, floorWeekly: 20 };
    const owned = { ...alice, candidate: { ...alice.candidate, options } };
    const remote = [
      account("bob", { proxy_name: "office", proxy_id: "2", priority: 9, floor_daily_pct: 10 }),
      account("carol", { proxy_name: "office", proxy_id: "2", floor_weekly_pct: 50, kept_back: true }),
    ];
    expect(accountsOf([owned], remote, "never").map(({ order }) => order)).toMatchObject([
      { priority: 5, floorDaily: 0, floorWeekly: 20, keepsFloors: true },
      // The child proxy decides about its own accounts.
      { priority: 0, floorDaily: 10, floorWeekly: 0, keepsFloors: false },
      { priority: 0, floorDaily: 0, floorWeekly: 50, keepsFloors: true },
    ]);
    expect(accountsOf([owned])[0]?.order.keepsFloors).toBe(false);
  });

  test("are closed while their workspace forbids any use", () => {
    const individual = { value: { remainingPercent: 0, resetAtMs: NOW + HOUR_MS }, asOfMs: NOW };
    const spending = { ...UNKNOWN_QUOTA.spending, individual };
    const [alice] = accountsOf([own("alice", { quota: { spending } })]);
    expect(alice).toMatchObject({ inService: true, closedUntilMs: NOW + HOUR_MS });
  });

  test("include those of child proxies, each account once", () => {
    const remote = [
      account("alice", { proxy_name: "office", proxy_id: "2", identity: "identity of alice" }),
      account("bob", { proxy_name: "office", proxy_id: "2" }),
      account("carol", { proxy_name: "office", proxy_id: "2", draining: true }),
    ];
    const all = accountsOf([own("alice")], remote);
    expect(all.map(({ key, inService, figures }) => [key, inService, figures.length])).toEqual([
      ["identity of alice", true, 1],
      ["2 openai:bob", true, 2],
      ["2 openai:carol", false, 2],
    ]);
  });
});

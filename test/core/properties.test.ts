// Properties of the rules of core/ and of the pool, tested with thousands of generated cases.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SPEND_FLOORS } from "../../src/core/account-options.ts";
import { allowsTags } from "../../src/core/account-tags.ts";
import { availabilityFor, type Candidate, rankOf } from "../../src/core/availability.ts";
import { failureOfEvent, failureOfReply } from "../../src/core/failure.ts";
import { HEALTHY, type Health, type HealthEvent, healthAt, transition } from "../../src/core/health.ts";
import { type Choice, type ChoiceContext, choose, POLICY_MODES } from "../../src/core/policy.ts";
import { pooledUsage } from "../../src/core/pooled.ts";
import {
  isExhausted,
  mergeQuota,
  type Quota,
  type QuotaWindow,
  UNKNOWN_QUOTA,
} from "../../src/core/quota.ts";
import { summaryOf, type WindowSummary } from "../../src/core/quota-summary.ts";
import { usageBody } from "../../src/core/usage-body.ts";
import { judge, type Verdict } from "../../src/core/verdict.ts";
import { presentOf, WINDOW_KINDS, type WindowKind } from "../../src/core/windows.ts";
import type { Pool } from "../../src/upstream/pool.ts";
import { candidate } from "../support/candidates.ts";
import { fakeClock } from "../support/clock.ts";
import { evidence, HOUR_MS, NOW, soon } from "../support/evidence.ts";
import { memoryPool } from "../support/memory-pool.ts";

fc.configureGlobal({ numRuns: 1_000 });

// --- the choice

const TAGS = ["work", "home"];

const share = (kind: WindowKind): fc.Arbitrary<WindowSummary> =>
  fc.record({
    kind: fc.constant(kind),
    left: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
    resetAtMs: fc.option(soon, { nil: undefined }),
    lengthMs: fc.constantFrom(18_000_000, 604_800_000),
  });
const candidates: fc.Arbitrary<Candidate[]> = fc
  .array(
    fc.record({
      condition: fc.constantFrom<Candidate["condition"]>(
        "ready",
        "probing",
        "credits",
        "at_floor",
        "exhausted",
        "last_resort",
        "cooling",
        "limited",
        "kept_back",
        "disabled",
      ),
      draining: fc.boolean(),
      inFlight: fc.nat(5),
      score: fc.double({ min: 0, max: 1, noNaN: true }),
      windows: fc.record({
        short: fc.option(share("short"), { nil: undefined }),
        weekly: fc.option(share("weekly"), { nil: undefined }),
        monthly: fc.option(share("monthly"), { nil: undefined }),
      }),
      untilMs: soon,
      options: fc.record({
        priority: fc.integer({ min: -1, max: 1 }),
        floorDaily: fc.constant(0),
        floorWeekly: fc.constant(0),
        tags: fc.subarray(TAGS),
        note: fc.constant(""),
        monthlyCap: fc.constant(0),
        concurrency: fc.constant(0),
      }),
    }),
    { maxLength: 6 },
  )
  .map((list) => list.map((fields, index) => candidate(String(index), fields)));
const id = fc.constantFrom(undefined, "0", "1", "2", "3", "4", "5", "gone");
const ids = fc.uniqueArray(fc.constantFrom("0", "1", "2", "3", "4", "5")).map((list) => new Set(list));
const context: fc.Arbitrary<ChoiceContext> = fc.record({
  settings: fc.record({
    mode: fc.constantFrom(...POLICY_MODES),
    deltaPercent: fc.integer({ min: 0, max: 50 }),
    weights: fc.record({ daily: fc.nat(100), weekly: fc.nat(100) }),
    spendFloors: fc.constantFrom(...SPEND_FLOORS),
  }),
  spends: fc.boolean(),
  nowMs: fc.constant(NOW),
  activeId: id,
  pinnedId: id,
  boundId: id,
  readers: fc.option(ids, { nil: undefined }),
  offering: fc.option(ids, { nil: undefined }),
  tried: ids,
  searching: fc.boolean(),
  tags: fc.record({
    required: fc.array(fc.subarray(TAGS, { minLength: 1 }), { maxLength: 2 }),
    preferred: fc.subarray(TAGS),
  }),
});

describe("whatever the policy and the accounts,", () => {
  test("an account is chosen exactly if one is available", () =>
    fc.assert(
      fc.property(candidates, context, (list, how) => {
        const may = list.filter((one) => rankOf(availabilityFor(one, how)) !== undefined);
        expect(choose(list, how) === undefined).toBe(may.length === 0);
      }),
    ));

  test("no unavailable account is chosen: disabled, tried, unable to read the session, or without the model", () =>
    fc.assert(
      fc.property(candidates, context, (list, how) => {
        const chosen = list.find((one) => one.id === choose(list, how)?.id);
        if (chosen === undefined) return;
        expect(chosen.condition).not.toBe("disabled");
        if (how.spends) expect(chosen.condition).not.toBe("limited");
        expect(how.tried.has(chosen.id)).toBe(false);
        if (how.spends && how.readers !== undefined) expect(how.readers.has(chosen.id)).toBe(true);
        if (how.offering !== undefined) expect(how.offering.has(chosen.id)).toBe(true);
        expect(allowsTags(chosen.options, how.tags)).toBe(true);
      }),
    ));

  test("no account is chosen while another has a better availability, except a pinned one that is recovering", () =>
    fc.assert(
      fc.property(candidates, context, (list, how) => {
        const chosen = list.find((one) => one.id === choose(list, how)?.id);
        if (chosen === undefined) return;
        const rank = (one: Candidate) => rankOf(availabilityFor(one, how)) ?? Number.POSITIVE_INFINITY;
        const allowed = chosen.id === how.pinnedId && rank(chosen) === 1 ? 0 : rank(chosen);
        expect(Math.min(...list.map(rank))).toBeGreaterThanOrEqual(allowed);
      }),
    ));

  test("an API key is chosen only if no other account has room, except by a pin", () =>
    fc.assert(
      fc.property(candidates, context, (list, how) => {
        const chosen = list.find((one) => one.id === choose(list, how)?.id);
        if (chosen?.condition !== "last_resort" || !how.spends || chosen.id === how.pinnedId) return;
        const roomy = new Set<unknown>(["ready", "probing", "credits", "at_floor", "exhausted"]);
        expect(list.filter((one) => roomy.has(availabilityFor(one, how)))).toEqual([]);
      }),
    ));

  test("a floor is never crossed while another account has room, except by a pin", () =>
    fc.assert(
      fc.property(candidates, context, (list, how) => {
        const chosen = list.find((one) => one.id === choose(list, how)?.id);
        if (chosen === undefined || chosen.id === how.pinnedId || !how.spends) return;
        expect(chosen.condition).not.toBe("kept_back");
        if (chosen.condition !== "at_floor") return;
        for (const one of list)
          expect(["ready", "probing", "credits"]).not.toContain(availabilityFor(one, how));
      }),
    ));

  test("priorities and preferred tags never cause a refusal, nor a choice with a worse availability", () =>
    fc.assert(
      fc.property(candidates, context, (list, how) => {
        const rank = (choice: Choice | undefined) => {
          const chosen = list.find((one) => one.id === choice?.id);
          return chosen && rankOf(availabilityFor(chosen, how));
        };
        const plain = list.map((one) => ({ ...one, options: { ...one.options, priority: 0 } }));
        const plainChoice = choose(plain, { ...how, tags: { ...how.tags, preferred: [] } });
        const ranks = [rank(choose(list, how)), rank(plainChoice)];
        // A pinned account that recovers is chosen despite its rank, unless a preferred tag excludes it.
        if (how.pinnedId === undefined) expect(ranks[0]).toBe(ranks[1]);
        else expect(ranks[0] === undefined).toBe(ranks[1] === undefined);
      }),
    ));

  test("without a pin and a session, no account is chosen before one with a higher priority and the same tags", () =>
    fc.assert(
      fc.property(candidates, context, (list, how) => {
        const free = { ...how, pinnedId: undefined, boundId: undefined };
        const chosen = list.find((one) => one.id === choose(list, free)?.id);
        if (chosen === undefined || availabilityFor(chosen, free) === "cooling") return;
        for (const one of list)
          if (
            one.options.priority > chosen.options.priority &&
            one.options.tags.join() === chosen.options.tags.join()
          )
            expect(availabilityFor(one, free)).not.toBe(availabilityFor(chosen, free));
      }),
    ));

  test("a choice depends on its arguments alone", () =>
    fc.assert(
      fc.property(candidates, context, (list, how) => {
        expect(choose(structuredClone(list), how)).toEqual(choose(list, how));
      }),
    ));
});

describe("quota", () => {
  test("has the newest evidence of each window, in any order of arrival", () =>
    fc.assert(
      fc.property(
        fc
          .array(evidence, { maxLength: 6 })
          .chain((reported) =>
            fc.tuple(fc.constant(reported), fc.shuffledSubarray(reported, { minLength: reported.length })),
          ),
        ([reported, shuffled]) => {
          const merged = reported.reduce(mergeQuota, UNKNOWN_QUOTA);
          const other = shuffled.reduce(mergeQuota, UNKNOWN_QUOTA);
          const completeMs = Math.max(0, ...reported.map(({ main }) => main.completeAsOfMs));
          for (const kind of WINDOW_KINDS) {
            const windows = reported
              .map(({ main }) => main.windows[kind])
              .filter((window) => window !== undefined && window.asOfMs >= completeMs) as QuotaWindow[];
            const newestMs = Math.max(...windows.map(({ asOfMs }) => asOfMs));
            const most = Math.max(
              ...windows.filter(({ asOfMs }) => asOfMs === newestMs).map(({ usedPercent }) => usedPercent),
            );
            expect(merged.main.windows[kind]?.usedPercent).toBe(windows.length === 0 ? undefined : most);
          }
          expect(other.main).toEqual(merged.main);
          expect(other.spending).toEqual(merged.spending);
          expect(other.additional.map((limit) => limit.id)).toEqual(
            merged.additional.map((limit) => limit.id),
          );
        },
      ),
    ));

  test("is dropped only by newer evidence that lists all windows", () =>
    fc.assert(
      fc.property(evidence, evidence, (first, second) => {
        const merged = mergeQuota(first, second);
        for (const kind of WINDOW_KINDS) {
          const newestMs = Math.max(
            first.main.windows[kind]?.asOfMs ?? 0,
            second.main.windows[kind]?.asOfMs ?? 0,
          );
          const isCurrent = newestMs > 0 && newestMs >= merged.main.completeAsOfMs;
          expect(merged.main.windows[kind] !== undefined).toBe(isCurrent);
        }
      }),
    ));

  test("of the pool is sent in integers, and as exhausted exactly when no account has quota left", () =>
    fc.assert(
      fc.property(fc.array(evidence, { minLength: 1, maxLength: 5 }), fc.boolean(), (quotas, useCredits) => {
        const view = { nowMs: NOW + HOUR_MS, ttlMs: HOUR_MS };
        const accounts = quotas.map((quota) => ({
          health: HEALTHY,
          quota,
          summary: summaryOf(quota, quota.main, view),
        }));
        const usage = pooledUsage(accounts, view, useCredits);
        const body = usageBody(usage, view.nowMs) as {
          rate_limit: {
            allowed: boolean;
            limit_reached: boolean;
            primary_window: Record<string, number> | null;
            secondary_window: Record<string, number> | null;
          };
        };
        const { allowed, limit_reached, primary_window, secondary_window } = body.rate_limit;
        const reached = quotas.every(
          (quota, index) =>
            isExhausted(quota, quota.main, view) && !(useCredits && accounts[index]?.summary.credits),
        );
        expect([allowed, limit_reached]).toEqual([!reached, reached]);
        const windows = [primary_window, secondary_window].filter((window) => window !== null);
        for (const window of windows)
          for (const value of Object.values(window)) expect(Number.isInteger(value)).toBe(true);
        const pooled = presentOf(usage.main.windows).map((window) => window.left);
        expect(pooled.some((left) => left === 0) || !reached).toBe(true);
        if (!reached) for (const window of windows) expect(window.used_percent).toBeLessThan(100);
      }),
    ));
});

// --- health

const cooling = fc
  .record({ cause: fc.constantFrom("limit" as const, "fault" as const), atMs: soon, forMs: fc.nat(HOUR_MS) })
  .map(
    ({ cause, atMs, forMs }): HealthEvent => ({
      kind: "cool",
      cause,
      reason: "r",
      atMs,
      untilMs: atMs + forMs,
    }),
  );
const healthEvent: fc.Arbitrary<HealthEvent> = fc.oneof(
  { weight: 3, arbitrary: cooling },
  fc.record({ kind: fc.constant("room" as const), asOfMs: soon }),
  fc.record({ kind: fc.constant("room" as const), asOfMs: soon, fromMs: soon }),
  fc.record({ kind: fc.constant("served" as const), startedMs: soon }),
  fc.record({
    kind: fc.constant("disable" as const),
    reason: fc.constantFrom("http-401", "operator"),
    atMs: soon,
  }),
  fc.constant<HealthEvent>({ kind: "renewed" }),
  fc.constant<HealthEvent>({ kind: "enable" }),
);

describe("health", () => {
  const after = (events: readonly HealthEvent[]): Health => events.reduce(transition, HEALTHY);

  test("is cooling no longer than one of its causes requires", () =>
    fc.assert(
      fc.property(fc.array(healthEvent, { maxLength: 12 }), (events) => {
        const health = after(events);
        if (health.kind !== "cooling") return;
        const reported = events.flatMap((event) => {
          if (event.kind === "cool") return [event.untilMs];
          return event.kind === "room" && "fromMs" in event ? [event.fromMs ?? 0] : [];
        });
        expect(reported).toContain(health.untilMs);
        expect(healthAt(health, Math.max(...reported)).kind).toBe("healthy");
      }),
    ));

  test("that the operator disabled is restored by the operator alone", () =>
    fc.assert(
      fc.property(fc.array(healthEvent, { maxLength: 12 }), (events) => {
        const rest = events.filter((event) => event.kind !== "enable");
        const health = after([{ kind: "disable", reason: "operator", atMs: NOW }, ...rest]);
        expect(health).toMatchObject({ kind: "disabled", reason: "operator" });
      }),
    ));
});

// --- verdicts

const text = fc.oneof(fc.constantFrom("", "try again in 3s", "You've hit your usage limit."), fc.string());
const code = fc.oneof(
  fc.constantFrom("usage_limit_reached", "token_expired", "rate_limit_exceeded", "invalid_encrypted_content"),
  fc.string(),
);
const errorBody = fc.record(
  { code, type: code, message: text, resets_at: fc.double(), resets_in_seconds: fc.double() },
  { requiredKeys: [] },
);

describe("a verdict", () => {
  const isSound = (verdict: Verdict): void => {
    if (verdict.kind === "cool") {
      expect(verdict.forMs).toBeGreaterThan(0);
      expect(verdict.forMs).toBeLessThanOrEqual(HOUR_MS);
    }
    if (verdict.kind === "limit" && verdict.untilMs !== undefined) expect(verdict.untilMs).not.toBeNaN();
  };

  test("exists for every reply, and is never ok for a failed one", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 400, max: 599 }),
        fc.oneof(
          text,
          errorBody.map((error) => JSON.stringify({ error })),
        ),
        fc.constantFrom("turn" as const, "handshake" as const, "other" as const),
        fc.option(text, { nil: undefined }),
        (status, body, scope, retryAfter) => {
          const headers = new Headers();
          if (retryAfter !== undefined && /^[\x20-\x7e]*$/.test(retryAfter))
            headers.set("retry-after", retryAfter);
          const verdict = judge(failureOfReply(status, headers, body, NOW), scope);
          expect(["ok", "open"]).not.toContain(verdict.kind);
          isSound(verdict);
          // Off the turns, an account is blamed only for a limit or a login.
          if (scope === "other") expect(["cool", "disable"]).not.toContain(verdict.kind);
        },
      ),
    ));

  test("exists for every event", () =>
    fc.assert(
      fc.property(
        fc.oneof(
          fc.jsonValue(),
          fc.record(
            { type: fc.constant("error"), status: fc.integer(), error: errorBody },
            { requiredKeys: [] },
          ),
          fc.record({ type: fc.constant("response.failed"), response: fc.record({ error: errorBody }) }),
        ),
        (event) => {
          const verdict = judge(failureOfEvent(event, NOW), "turn");
          expect(["ok", "open"]).not.toContain(verdict.kind);
          isSound(verdict);
        },
      ),
    ));
});

// --- the pool

type Step =
  | { readonly do: "turn"; readonly session: number; readonly verdicts: readonly Verdict[] }
  | { readonly do: "learn"; readonly account: number; readonly reported: Quota }
  | { readonly do: "wait"; readonly ms: number };

const verdict: fc.Arbitrary<Verdict> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Verdict>({ kind: "ok" }) },
  soon.map((untilMs): Verdict => ({ kind: "limit", untilMs })),
  fc.constant<Verdict>({ kind: "limit", untilMs: undefined }),
  fc.nat(60_000).map((forMs): Verdict => ({ kind: "cool", reason: "http-500", forMs, isTimed: false })),
  fc.constant<Verdict>({ kind: "disable", reason: "http-401" }),
  fc.constant<Verdict>({ kind: "client" }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("turn" as const),
      session: fc.nat(3),
      verdicts: fc.array(verdict, { minLength: 4, maxLength: 4 }),
    }),
  },
  fc.record({ do: fc.constant("learn" as const), account: fc.nat(3), reported: evidence }),
  fc.record({ do: fc.constant("wait" as const), ms: fc.nat(HOUR_MS / 10) }),
);

describe("a pool, whatever happens to it,", () => {
  const NAMES = ["a", "b", "c", "d"];

  const poolOf = (mode: (typeof POLICY_MODES)[number]) => {
    const clock = fakeClock(NOW);
    return { clock, ...memoryPool({ aliases: NAMES, clock, mode, quotaTtlMs: HOUR_MS }) };
  };

  /** Runs a turn like the attempt loop. Returns whether an account served it. */
  const turn = (pool: Pool, { session, verdicts }: Step & { do: "turn" }): boolean => {
    const tried = new Set<string>();
    for (const one of verdicts) {
      const lease = pool.pick({ hops: [], session: `s${session}`, tried, spends: true, requestId: 1 });
      if (lease === undefined) return false;
      tried.add(lease.upstream.id);
      lease.settle(one, { turn: true });
      lease.release();
      if (one.kind === "ok" || one.kind === "client") return true;
    }
    return false;
  };

  test("never reports that all is exhausted, and makes no request wait, while an account is available", () =>
    fc.assert(
      fc.property(fc.constantFrom(...POLICY_MODES), fc.array(step, { maxLength: 30 }), (mode, steps) => {
        const { pool, clock, store } = poolOf(mode);
        for (const one of steps) {
          if (one.do === "wait") clock.advance(one.ms);
          if (one.do === "learn") pool.learn(`openai:${NAMES[one.account]}`, one.reported);
          if (one.do === "turn") turn(pool, one);
          const nowMs = clock.now();
          const available = store.state.accounts.filter(
            ({ health }) => healthAt(health, nowMs).kind === "healthy",
          );
          const lease = pool.pick({
            session: undefined,
            hops: [],
            tried: new Set(),
            spends: true,
            requestId: 1,
          });
          if (available.length > 0) {
            expect(available.map((account) => account.id)).toContain(lease?.upstream.id ?? "none");
            expect(pool.shortage(undefined).kind).toBe("all_tried");
          }
          lease?.release();
          expect(pool.inFlight()).toBe(0);
        }
      }),
    ));

  test("has cached values that equal newly computed ones", () =>
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const { pool, clock } = poolOf("usage_balanced");
        for (const one of steps) {
          if (one.do === "wait") clock.advance(one.ms);
          if (one.do === "learn") pool.learn(`openai:${NAMES[one.account]}`, one.reported);
          if (one.do === "turn") turn(pool, one);
          const view = pool.view();
          for (const { candidate: seen, quota } of pool.facts().accounts) {
            const { goodUntilMs: _kept, ...kept } = seen.summary;
            const { goodUntilMs: _fresh, ...fresh } = summaryOf(quota, quota.main, view);
            expect(kept).toEqual(fresh);
          }
        }
      }),
    ));
});

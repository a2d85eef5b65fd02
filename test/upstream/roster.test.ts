// Compares the values that the roster keeps with values computed from scratch.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type OptionValues, SPEND_FLOORS, type SpendFloors } from "../../src/core/account-options.ts";
import type { Candidate } from "../../src/core/availability.ts";
import { capacityOfQuota } from "../../src/core/capacity.ts";
import { learnedFigures } from "../../src/core/figures.ts";
import { ownLimitFor } from "../../src/core/meters.ts";
import { mergeQuota, type Quota, UNKNOWN_QUOTA } from "../../src/core/quota.ts";
import { summaryOf } from "../../src/core/quota-summary.ts";
import { type AccountRecord, newAccount, optionsOf } from "../../src/state/account-record.ts";
import { createRoster, type Member, pooledAccountOf } from "../../src/upstream/roster.ts";
import type { Upstream } from "../../src/upstream/upstream.ts";
import { evidence, HOUR_MS, NOW } from "../support/evidence.ts";
import { difference, type RecordChange, recordChange, repeated } from "../support/record-changes.ts";

const NAMES = ["a", "b", "c"];
const NO_FILE = {};
const RUNS = { numRuns: 1_000 };

/** The changes that may happen between two uses of the roster. */
interface Step {
  readonly account: number;
  readonly change: RecordChange;
  readonly waitMs: number;
  readonly useCredits: boolean;
  readonly ttlMs: number;
  readonly model: string | undefined;
  readonly fileOptions: Readonly<Record<string, OptionValues>>;
  readonly spendFloors: SpendFloors;
}

const step: fc.Arbitrary<Step> = fc.record({
  account: fc.nat(NAMES.length - 1),
  change: recordChange,
  waitMs: fc.oneof(fc.constant(0), fc.nat(HOUR_MS / 2)),
  useCredits: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, fc.constant(false)),
  ttlMs: fc.oneof({ weight: 9, arbitrary: fc.constant(HOUR_MS) }, fc.constant(HOUR_MS / 6)),
  model: fc.constantFrom(undefined, "a"),
  fileOptions: fc.constantFrom(NO_FILE, { b: { floorWeekly: 50, priority: 1 } }),
  spendFloors: fc.constantFrom(...SPEND_FLOORS),
});

function limitIn({ main, additional }: Quota, id: string): Quota["main"] {
  return additional.find((limit) => limit.id === id) ?? main;
}

/** A candidate without the time until which its figures are valid, because repeated figures do not update that time. */
function timeless(candidate: Candidate | undefined) {
  return candidate && { ...candidate, summary: { ...candidate.summary, goodUntilMs: 0 } };
}

function memberOf(record: AccountRecord): Member {
  const options: Upstream["options"] = (view) => optionsOf(record, view.fileOptions);
  const upstream: Pick<Upstream, "capacity" | "options" | "ownLimit"> = {
    options,
    capacity: (view) => capacityOfQuota(record.quota, view, options(view)),
    ownLimit: ({ model, refusedBy }) => ownLimitFor(record.quota, model, refusedBy),
  };
  return { record, upstream: upstream as Upstream, judgement: undefined };
}

describe("a roster, whatever happens to its members,", () => {
  const weights = { daily: 60, weekly: 40 };

  test("has the candidates and figures that it would compute from scratch", () =>
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const records = NAMES.map((name) => newAccount(name, `/${name}`));
        const members = records.map(memberOf);
        const roster = createRoster();
        roster.set(members);
        let nowMs = NOW;
        for (const { account, change: apply, waitMs, ...settings } of steps) {
          nowMs += waitMs;
          const view = { nowMs, weights, ...settings, refusedBy: () => undefined };
          const record = records[account];
          if (record !== undefined) apply(record, view);
          const scratch = records.map((one) => memberOf({ ...one, changed: undefined }));
          const fresh = createRoster();
          fresh.set(scratch);
          expect(roster.candidates(view).map(timeless)).toEqual(fresh.candidates(view).map(timeless));
          for (const { id } of records)
            expect(timeless(roster.candidate(id, view))).toEqual(timeless(fresh.candidate(id, view)));
          members.forEach((member, index) => {
            const { goodUntilMs: keptMs, ...kept } = pooledAccountOf(member, view).summary;
            const other = scratch[index];
            if (other === undefined) return;
            const { goodUntilMs, ...computed } = pooledAccountOf(other, view).summary;
            expect(kept).toEqual(computed);
            // Repeated figures are valid for longer. The roster may notice that late, but never misses their expiry.
            expect(keptMs).toBeLessThanOrEqual(goodUntilMs);
          });
        }
      }),
      RUNS,
    ));
});

describe("figures that repeat what is known", () => {
  const view = { nowMs: NOW + HOUR_MS, ttlMs: HOUR_MS };

  test("change their time but no value computed from them", () =>
    fc.assert(
      fc.property(evidence, fc.nat(HOUR_MS), (reported, laterMs) => {
        const known = mergeQuota(UNKNOWN_QUOTA, reported);
        const again = repeated(reported, laterMs);
        const { quota, isRepeat } = learnedFigures(known, again, view);
        expect(isRepeat).toBe(true);
        expect(quota).toEqual(mergeQuota(known, again));
        const { goodUntilMs: _before, ...before } = summaryOf(known, known.main, view);
        const { goodUntilMs: _after, ...after } = summaryOf(quota, quota.main, view);
        expect(after).toEqual(before);
      }),
      RUNS,
    ));

  test("are recognized only if every figure is the same", () =>
    fc.assert(
      fc.property(
        evidence,
        difference,
        fc.nat(HOUR_MS),
        fc.nat(3 * HOUR_MS),
        (reported, differ, laterMs, agoMs) => {
          const at = { nowMs: NOW + agoMs, ttlMs: HOUR_MS };
          const known = mergeQuota(UNKNOWN_QUOTA, reported);
          const { quota, isRepeat } = learnedFigures(known, differ(repeated(reported, laterMs)), at);
          if (!isRepeat) return;
          for (const id of ["codex", "a", "b"]) {
            const { goodUntilMs: _before, ...before } = summaryOf(known, limitIn(known, id), at);
            const { goodUntilMs: _after, ...after } = summaryOf(quota, limitIn(quota, id), at);
            expect(after).toEqual(before);
          }
        },
      ),
      RUNS,
    ));
});

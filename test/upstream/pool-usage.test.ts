// Compares the usage of the pool, which is kept while nothing changes, with a usage computed from scratch.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { pooledUsage } from "../../src/core/pooled.ts";
import { summaryOf } from "../../src/core/quota-summary.ts";
import { learn } from "../../src/state/record-figures.ts";
import { fakeClock } from "../support/clock.ts";
import { evidence, HOUR_MS, NOW } from "../support/evidence.ts";
import { memoryPool } from "../support/memory-pool.ts";
import { type RecordChange, recordChange, repeated } from "../support/record-changes.ts";

const NAMES = ["a", "b", "c"];

/** Figures of the main limit only. With other limits, the usage is computed each time. */
const mainFigures = evidence.map(
  (reported): RecordChange =>
    (record, view) =>
      learn(record, { ...reported, additional: [] }, view),
);
const sameFigures = fc.nat(HOUR_MS / 4).map(
  (laterMs): RecordChange =>
    (record, view) =>
      learn(record, repeated(record.quota, laterMs), view),
);
const withoutOwnLimits = fc.oneof(mainFigures, sameFigures, sameFigures);

const steps = (change: fc.Arbitrary<RecordChange>) =>
  fc.array(fc.record({ account: fc.nat(NAMES.length - 1), change, waitMs: fc.nat(HOUR_MS / 4) }), {
    maxLength: 25,
  });

for (const [name, change] of [
  ["whatever happens to its accounts", recordChange],
  ["when accounts have only the main limit", withoutOwnLimits],
  [
    "when that is so most of the time",
    fc.oneof({ weight: 4, arbitrary: withoutOwnLimits }, { weight: 1, arbitrary: recordChange }),
  ],
] as const)
  test(`the usage of a pool matches its accounts, ${name}`, () =>
    fc.assert(
      fc.property(steps(change), (history) => {
        const clock = fakeClock(NOW);
        const { pool, store } = memoryPool({ aliases: NAMES, clock, mode: "sticky", quotaTtlMs: HOUR_MS });
        for (const { account, change: apply, waitMs } of history) {
          clock.advance(waitMs);
          const view = pool.view();
          const record = store.state.accounts[account];
          if (record !== undefined) apply(record, { ...view, useCredits: true });
          const accounts = store.state.accounts.map(({ health, quota }) => ({
            health,
            quota,
            summary: summaryOf(quota, quota.main, view),
          }));
          expect(pool.usage()).toEqual(pooledUsage(accounts, view, true));
        }
      }),
      { numRuns: 500 },
    ));

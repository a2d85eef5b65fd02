// Random evidence about quota, for property tests over histories.

import fc from "fast-check";
import { type LimitQuota, type Quota, type QuotaWindow, unknownLimit } from "../../src/core/quota.ts";
import { type Spending, UNKNOWN_SPENDING } from "../../src/core/spending.ts";

/** All evidence is from the hour after this time, so no figure is too old or in the past. Unix ms. */
export const NOW = Date.UTC(2026, 0, 1);
export const HOUR_MS = 3_600_000;
/** A random time within that hour. */
export const soon = fc.integer({ min: NOW, max: NOW + HOUR_MS });

const quotaWindow: fc.Arbitrary<QuotaWindow> = fc.record({
  usedPercent: fc.oneof(fc.constant(0), fc.constant(100), fc.double({ min: 0, max: 100, noNaN: true })),
  resetAtMs: fc.option(soon, { nil: undefined }),
  windowSeconds: fc.constantFrom(undefined, 18_000, 604_800),
  asOfMs: soon,
  source: fc.constantFrom("headers", "event", "usage_api", "limit_error"),
});
const maybeWindow = fc.option(quotaWindow, { nil: undefined });
const limits = (id: fc.Arbitrary<string>): fc.Arbitrary<LimitQuota> =>
  fc
    .record({
      id,
      short: maybeWindow,
      weekly: maybeWindow,
      monthly: fc.option(quotaWindow, { nil: undefined, freq: 2 }),
      completeAsOfMs: fc.oneof(fc.constant(0), soon),
    })
    .map(({ id: name, completeAsOfMs, ...windows }) => ({
      ...unknownLimit(name),
      // A complete list is as recent as its windows.
      windows:
        completeAsOfMs === 0
          ? windows
          : {
              short: windows.short && { ...windows.short, asOfMs: completeAsOfMs },
              weekly: windows.weekly && { ...windows.weekly, asOfMs: completeAsOfMs },
              monthly: windows.monthly && { ...windows.monthly, asOfMs: completeAsOfMs },
            },
      completeAsOfMs,
    }));
const credits: fc.Arbitrary<Spending> = fc
  .record({ hasCredits: fc.boolean(), unlimited: fc.boolean(), balance: fc.nat(20), asOfMs: soon })
  .map(({ asOfMs, ...value }) => ({ ...UNKNOWN_SPENDING, credits: { value, asOfMs } }));

/** A random report about quota, as a response, an event or a poll may contain. */
export const evidence: fc.Arbitrary<Quota> = fc.record({
  planType: fc.constant(undefined),
  main: limits(fc.constant("codex")),
  additional: fc.uniqueArray(limits(fc.constantFrom("a", "b")), { selector: ({ id }) => id }),
  spending: fc.oneof(fc.constant(UNKNOWN_SPENDING), credits),
});

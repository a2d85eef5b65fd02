import { describe, expect, test } from "bun:test";
import { unfinishedAt } from "../../src/core/redemption.ts";
import { creditCountWords, resetCreditTexts } from "../../src/core/reset-credit-words.ts";
import { firstExpiryMs, resetCountIn, resetCreditsAt, resetCreditsIn } from "../../src/core/reset-credits.ts";
import { AccountAnswer } from "../../src/core/status-schema.ts";

const NOW = Date.parse("2026-07-01T00:00:00Z");
const DAY = 24 * 3_600_000;

/** A credit as the real backend lists it. */
const listed = (id: string, expires_at: string | null, more = {}) => ({
  id,
  reset_type: "codex_rate_limits",
  status: "available",
  granted_at: "2026-06-17T00:00:00Z",
  expires_at,
  redeem_started_at: null,
  redeemed_at: null,
  title: "Full reset (Weekly + 5 hr)",
  ...more,
});

describe("the list of reset credits", () => {
  test("is sorted by expiry, and credits that never expire come last", () => {
    const read = resetCreditsIn(
      {
        credits: [
          listed("never", null),
          listed("late", "2026-07-17T00:00:00.677034Z"),
          listed("soon", "2026-07-02T00:00:00Z"),
        ],
        available_count: 3,
        total_earned_count: 4,
      },
      NOW,
    );
    expect(read?.credits?.map(({ id }) => id)).toEqual(["soon", "late", "never"]);
    expect(read).toMatchObject({ count: 3, asOfMs: NOW });
    expect(read?.credits?.[0]).toEqual({
      id: "soon",
      grantedAtMs: Date.parse("2026-06-17T00:00:00Z"),
      expiresAtMs: NOW + DAY,
      title: "Full reset (Weekly + 5 hr)",
    });
  });

  test("leaves out credits that are spent, of another kind, or unreadable", () => {
    const read = resetCreditsIn(
      {
        credits: [
          listed("spent", null, { status: "redeemed" }),
          listed("under way", null, { status: "redeeming" }),
          listed("other", null, { reset_type: "future_type" }),
          listed("undated", "tomorrow"),
          listed("", null),
          null,
          listed("good", null, { title: 7 }),
        ],
        available_count: 1,
      },
      NOW,
    );
    expect(read?.credits).toEqual([
      {
        id: "good",
        grantedAtMs: Date.parse("2026-06-17T00:00:00Z"),
        expiresAtMs: undefined,
        title: undefined,
      },
    ]);
  });

  test("is unknown if the response is something else", () => {
    for (const body of [undefined, [], {}, { credits: [] }, { credits: {}, available_count: 1 }])
      expect(resetCreditsIn(body, NOW)).toBeUndefined();
    expect(resetCreditsIn({ credits: [], available_count: -1 }, NOW)).toBeUndefined();
  });
});

test("the usage response contains their number, or none", () => {
  const count = (rate_limit_reset_credits: unknown) => resetCountIn({ rate_limit_reset_credits });
  expect(count({ available_count: 3, applicable_available_count: 0 })).toBe(3);
  expect(count({ available_count: 0 })).toBe(0);
  for (const value of [undefined, null, {}, { available_count: "3" }, { available_count: 1.5 }])
    expect(count(value)).toBeUndefined();
  expect(resetCountIn("usage")).toBeUndefined();
});

test("a credit that has expired since no longer counts", () => {
  const credit = (id: string, expiresAtMs: number | undefined) => ({
    id,
    grantedAtMs: NOW - DAY,
    expiresAtMs,
    title: undefined,
  });
  const known = { count: 3, credits: [credit("a", NOW + 1), credit("b", NOW + DAY)], asOfMs: NOW };
  expect(resetCreditsAt(known, NOW)).toBe(known);
  const later = resetCreditsAt(known, NOW + 1);
  expect(later).toMatchObject({ count: 2, credits: [{ id: "b" }] });
  expect(firstExpiryMs(later)).toBe(NOW + DAY);
  expect(resetCreditsAt({ ...known, credits: undefined }, NOW + 9 * DAY).count).toBe(3);
});

test("words say how many there are, when the first expires, and how old the number is", () => {
  const account = (reset_credits: AccountAnswer["reset_credits"]) =>
    AccountAnswer.parse({
      alias: "alice",
      id: "openai:alice",
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
      reset_credits,
    });
  const two = { count: 2, expires_at: (NOW + 12 * DAY) / 1000, as_of_ms: NOW };
  expect(resetCreditTexts(account(two), NOW)).toEqual(["2 reset credits, the first expires in 12 days"]);
  expect(resetCreditTexts(account({ ...two, count: 1 }), NOW)).toEqual([
    "1 reset credit, expires in 12 days",
  ]);
  expect(resetCreditTexts(account({ ...two, expires_at: 0 }), NOW + 3 * 3_600_000)).toEqual([
    "2 reset credits (as of 3 h ago)",
  ]);
  expect(resetCreditTexts(account({ ...two, count: 0 }), NOW)).toEqual([]);
  expect(resetCreditTexts(account(undefined), NOW)).toEqual([]);
  expect(creditCountWords({ ...two, count: 0 }, NOW)).toBe("none");
});

test("a request without an outcome is repeated for a day", () => {
  const redemption = { requestId: "r", creditId: undefined, sinceMs: NOW };
  expect(unfinishedAt(redemption, NOW + DAY - 1)).toBe(redemption);
  expect(unfinishedAt(redemption, NOW + DAY)).toBeUndefined();
  expect(unfinishedAt(undefined, NOW)).toBeUndefined();
});

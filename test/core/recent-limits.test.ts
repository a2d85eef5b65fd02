import { expect, test } from "bun:test";
import fc from "fast-check";
import { quotaFromEvent, quotaFromHeaders } from "../../src/core/quota-wire.ts";
import { limitsOfEvent, limitsOfHeaders } from "../../src/core/recent-limits.ts";

const NOW = 1_700_000_000_000;

test("headers that repeat those of moments before give the same result as reading them", () => {
  const names = [
    "x-codex-primary-used-percent",
    "x-codex-primary-window-minutes",
    "x-codex-primary-reset-at",
    "x-codex-secondary-used-percent",
    "x-codex-spark-primary-used-percent",
    "x-codex-spark-limit-name",
    "x-codex-plan-type",
    "x-codex-credits-has-credits",
    "x-codex-credits-balance",
    "x-codex-rate-limit-reached-type",
  ];
  const value = fc.constantFrom("0", "12.5", "300", "10080", "1700000600", "true", "false", "pro", "", "x");
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), value), (fields) => {
      const headers = new Headers(fields);
      for (const atMs of [NOW, NOW + 100, NOW + 1_000])
        expect(limitsOfHeaders(headers, atMs)).toEqual(quotaFromHeaders(headers, atMs));
    }),
  );
});

test("an event that repeats one of moments before gives the same result as reading it", () => {
  const event = {
    type: "codex.rate_limits",
    plan_type: "pro",
    rate_limits: { primary: { used_percent: 5, window_minutes: 300, reset_at: 1_700_000_600 } },
    credits: { has_credits: true, balance: 3 },
  };
  const json = JSON.stringify(event);
  for (const atMs of [NOW, NOW + 100, NOW + 1_000])
    expect(limitsOfEvent(json, atMs)).toEqual({ event, evidence: quotaFromEvent(event, atMs) });
});

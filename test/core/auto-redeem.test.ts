import { describe, expect, test } from "bun:test";
import {
  type AutoRedeemSettings,
  autoRedeemId,
  type RedeemCandidate,
  withAttempt,
} from "../../src/core/auto-redeem.ts";
import { candidate } from "../support/candidates.ts";
import { type CandidateFields, exhaustedAccount, watchedAccount } from "../support/troubles.ts";

const NOW = Date.parse("2026-07-01T12:00:00Z");
const DAY = "2026-07-01";
const HOUR = 3_600_000;
const SETTINGS: AutoRedeemSettings = { when: "pool_exhausted", minWaitMs: 12 * HOUR, keep: 0, perDay: 1 };

/** An account with `count` credits, the first of which expires after `expiresInHours`. */
function account(
  { candidate: one }: { readonly candidate: RedeemCandidate["candidate"] },
  count = 1,
  expiresInHours = 100,
  attempts?: RedeemCandidate["attempts"],
): RedeemCandidate {
  const credit = {
    id: "c",
    grantedAtMs: 0,
    expiresAtMs: NOW + expiresInHours * HOUR,
    title: undefined,
  };
  return { candidate: one, credits: { count, credits: [credit], asOfMs: NOW }, attempts };
}

const spentFor = (alias: string, hours: number) => exhaustedAccount(alias, NOW + hours * HOUR);
const chosen = (
  accounts: readonly RedeemCandidate[],
  settings: Partial<AutoRedeemSettings> = {},
  others: Parameters<typeof autoRedeemId>[1] = [],
) => autoRedeemId(accounts, others, { settings: { ...SETTINGS, ...settings }, nowMs: NOW, day: DAY });

describe("a credit is spent automatically", () => {
  test("if every account stays exhausted for long, on the one whose credit expires first", () => {
    const pool = [account(spentFor("alice", 50), 1, 90), account(spentFor("bob", 40), 1, 80)];
    expect(chosen(pool)).toBe("openai:bob");
    expect(chosen([account(spentFor("alice", 40)), account(spentFor("bob", 50))])).toBe("openai:bob");
  });

  test("only if the settings allow it, enough credits are kept, and attempts are left for the day", () => {
    const today = withAttempt(undefined, DAY);
    expect(chosen([account(spentFor("alice", 50))], { when: "never" })).toBeUndefined();
    expect(chosen([account(spentFor("alice", 50))], { keep: 1 })).toBeUndefined();
    expect(chosen([account(spentFor("alice", 50), 2)], { keep: 1 })).toBe("openai:alice");
    expect(chosen([account(spentFor("alice", 50), 2, 9, today)])).toBeUndefined();
    expect(chosen([account(spentFor("alice", 50), 2, 9, today)], { perDay: 2 })).toBe("openai:alice");
    expect(chosen([account(spentFor("alice", 50), 2, 9, { ...today, day: "2026-06-30" })])).toBe(
      "openai:alice",
    );
    expect(withAttempt(withAttempt({ ...today, redeemedMs: 7 }, DAY), "2026-07-02")).toEqual({
      day: "2026-07-02",
      attempts: 1,
      redeemedMs: 7,
    });
  });

  const READY: CandidateFields = {};
  test.each([
    ["an account has room", account(watchedAccount("bob", READY))],
    ["a reset is near", account(spentFor("bob", 11))],
    ["a reset is unknown", account(watchedAccount("bob", { condition: "exhausted", exhausted: true }))],
    [
      "an account is only cooling down",
      account(watchedAccount("bob", { condition: "cooling", untilMs: NOW + 99 * HOUR })),
    ],
    [
      "a floor keeps an account back",
      account(watchedAccount("bob", { condition: "kept_back", untilMs: NOW + 99 * HOUR })),
    ],
  ])("but not while %s", (_case, bob) => {
    expect(chosen([account(spentFor("alice", 50)), bob])).toBeUndefined();
  });

  test("but not while a child proxy may serve", () => {
    expect(chosen([account(spentFor("alice", 50))], {}, [candidate("child:x", {})])).toBeUndefined();
  });

  test("and an account that is out of service does not prevent it", () => {
    const disabled = account(watchedAccount("bob", { condition: "disabled", reason: "operator" }), 5, 1);
    expect(chosen([account(spentFor("alice", 50)), disabled])).toBe("openai:alice");
  });

  test.each([
    ["can serve", { condition: "last_resort" }],
    ["has no cap", { condition: "limited", reason: "no-monthly-cap", exhausted: true }],
  ] as const)("and an API key that %s does not prevent it", (_case, fields) => {
    const key = { ...account(watchedAccount("openai", { ...fields, turnsOnly: true })), credits: undefined };
    expect(chosen([account(spentFor("alice", 50)), key])).toBe("openai:alice");
    expect(chosen([key])).toBeUndefined();
  });

  test("but not on an account without a credit, or with an unknown number", () => {
    const alice = account(spentFor("alice", 50), 0);
    expect(chosen([alice])).toBeUndefined();
    expect(chosen([{ ...alice, credits: undefined }, account(spentFor("bob", 40))])).toBe("openai:bob");
    expect(chosen([])).toBeUndefined();
  });
});

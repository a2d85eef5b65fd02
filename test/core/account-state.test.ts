// The words for the state of an account.

import { expect, test } from "bun:test";
import { apiKeyState, closedState, shownState } from "../../src/core/account-state.ts";
import { AccountAnswer } from "../../src/core/status-schema.ts";
import { accountState } from "../../src/core/status-words.ts";
import { account } from "../support/status-documents.ts";

test("a key at its cap shows the cap in every width, not only the time of the reset", () => {
  const nowMs = Date.UTC(2026, 10, 29);
  const key = { base_url: "http://127.0.0.1/v1", spent_usd: 20, reserved_usd: 0, cap_usd: 20 };
  const { wordings, backAtMs } = apiKeyState({ ...key, reset_at: Date.UTC(2026, 11) / 1000 }, nowMs);
  expect(wordings[0]).toStartWith("cap of 20.00 USD reached, back ");
  expect(wordings.slice(1)).toEqual(["cap of 20.00 USD reached", "cap reached"]);
  expect(backAtMs).toBe(Date.UTC(2026, 11));
});

test("an account that was disabled on another replica names it, if there is room", () => {
  const facts = {
    alias: "alice",
    proxyName: undefined,
    enabled: false,
    disabledReason: "operator",
    hasApiKey: false,
    cooldownReason: undefined,
    cooldownUntilMs: 0,
  };
  const wordings = (disabledOn: string | undefined) => closedState({ ...facts, disabledOn }, 0)?.wordings;
  expect(wordings(undefined)).toEqual(["disabled by you", "disabled"]);
  expect(wordings("office")).toEqual(["disabled by you on office", "disabled by you", "disabled"]);
});

test("a full account shows its limit, or its share of the limit without the other replicas, and serves again soon", () => {
  const full = (full_at: number) => AccountAnswer.parse(account("alice", { concurrency: 6, full_at }));
  const shown = shownState(full(6), "", 0);
  expect(shown).toMatchObject({ canServe: true, level: "low" });
  expect(shown.wordings).toEqual(["at its limit of 6 concurrent turns", "at 6 concurrent turns", "full"]);
  expect(shownState(full(2), "", 0).wordings[0]).toBe(
    "at its share of 2 concurrent turns, because this replica does not hear from the others",
  );
  expect(accountState(full(2))).toBe("full(2)");
});

test("an account that is both full and draining is draining, unless it is pinned", () => {
  const full = { concurrency: 1, full_at: 1, draining: true };
  for (const more of [{}, { at_floor: ["weekly"] }]) {
    const draining = AccountAnswer.parse(account("alice", { ...full, ...more }));
    expect(shownState(draining, "", 0)).toMatchObject({ canServe: false, cause: "draining" });
    expect(accountState(draining)).toBe("draining");
    expect(shownState({ ...draining, pinned: true }, "", 0)).toMatchObject({
      canServe: true,
      wordings: ["at its limit of 1 concurrent turn", "at 1 concurrent turn", "full"],
    });
  }
});

test("a full account at its floor is full, unless the floor is never spent", () => {
  const low = { concurrency: 1, full_at: 1, at_floor: ["weekly"], floor_weekly_pct: 100 };
  const full = AccountAnswer.parse(account("alice", low));
  expect(shownState(full, "", 0).wordings[0]).toBe("at its limit of 1 concurrent turn");
  expect(accountState(full)).toBe("full(1)");
  const kept = AccountAnswer.parse(account("alice", { ...low, kept_back: true }));
  expect(shownState(kept, "", 0)).toMatchObject({ canServe: false, cause: "floor" });
  expect(accountState(kept)).toBe("floor(weekly)");
});

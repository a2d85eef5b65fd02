import { expect, test } from "bun:test";
import type { AnchorCount } from "../../src/core/anchor/anchor-count.ts";
import { anchoredWords } from "../../src/core/anchor/anchor-words.ts";
import { newAccount } from "../../src/state/account-record.ts";
import { type AnchorStatusContext, anchorStatus } from "../../src/upstream/anchor-status.ts";

const NOW_MS = new Date(2026, 0, 5, 12).getTime();

function statusOf(
  anchors: readonly (AnchorCount | undefined)[],
  more: Partial<AnchorStatusContext> = {},
): ReturnType<typeof anchorStatus> {
  return anchorStatus({
    accounts: anchors.map((count, index) => newAccount(`a${index}`, `/a${index}`, { anchors: count })),
    settings: { enabled: true, model: "small" },
    offers: () => undefined,
    nowMs: NOW_MS,
    ...more,
  });
}

const TODAY: AnchorCount = { day: "2026-01-05", turns: 2, tokens: 1200, momentMs: 0 };
const YESTERDAY: AnchorCount = { ...TODAY, day: "2026-01-04" };

test("the status has the turns and tokens of the day", () => {
  const anchor = statusOf([TODAY, YESTERDAY, undefined, { ...TODAY, turns: 1, tokens: 40 }]);
  expect(anchor).toEqual({ turns: 3, tokens: 1240 });
  expect(anchoredWords({ anchor })).toBe("anchored today: 3 turns, 1,240 tokens");
});

test("it has none while anchoring is off, except on a day with turns", () => {
  const off = { settings: { enabled: false, model: "small" } };
  expect(statusOf([YESTERDAY], off)).toBeUndefined();
  expect(statusOf([TODAY], off)).toEqual({ turns: 2, tokens: 1200 });
  expect(anchoredWords({ anchor: statusOf([YESTERDAY]) })).toBe("anchored today: 0 turns");
  expect(anchoredWords({ anchor: undefined })).toBeUndefined();
});

test("it names a model that no account has", () => {
  expect(statusOf([undefined], { offers: () => false })).toEqual({
    turns: 0,
    tokens: 0,
    unknown_model: "small",
  });
  expect(statusOf([undefined, undefined], { offers: (id) => id === "openai:a1" })).toEqual({
    turns: 0,
    tokens: 0,
  });
  expect(statusOf([], { offers: () => false })).toEqual({ turns: 0, tokens: 0 });
});

import { expect, test } from "bun:test";
import { examineAnchoring, examineUnusedAnchoring } from "../../../src/cli/doctor/anchoring.ts";
import { examineStatus } from "../../../src/cli/doctor/pool.ts";
import { StatusAnswer } from "../../../src/core/status-schema.ts";
import { parseConfig } from "../../../src/state/config.ts";

const config = (text: string) => parseConfig(text, "config.toml").config;
const details = (findings: readonly { readonly detail: string }[]) => findings.map(({ detail }) => detail);

test("times that are at least 5 hours apart are in order", () => {
  expect(examineAnchoring(config(""))).toEqual([]);
  expect(examineAnchoring(config('[anchor]\nenabled = true\nat = ["07:00", "12:00"]\n'))).toEqual([]);
  expect(examineAnchoring(config('[anchor]\nat = ["07:00", "08:00"]\n'))).toEqual([]);
});

test("a time at which the window of an earlier one still runs has no effect", () => {
  expect(details(examineAnchoring(config('[anchor]\nenabled = true\nat = ["07:00", "9:30"]\n')))).toEqual([
    "the time 09:30 in anchor.at has no effect on accounts that are anchored at 07:00: their windows are still running then",
  ]);
});

test("anchoring needs a running proxy", () => {
  expect(examineUnusedAnchoring(config(""))).toEqual([]);
  expect(
    details(examineUnusedAnchoring(config('[anchor]\nenabled = true\nat = ["07:00", "12:00"]\n'))),
  ).toEqual([
    "accounts are anchored at 07:00, 12:00 only while a proxy runs on this root, and none is running",
  ]);
});

test("a model that no account has is reported by the proxy", () => {
  const found = (anchor: unknown) =>
    details(examineStatus(StatusAnswer.parse({ anchor, accounts: [], policy: {}, state: {} }), 0));
  expect(found({ turns: 0, tokens: 0 })).toEqual([]);
  expect(found({ turns: 0, tokens: 0, unknown_model: "gpt-none" })).toEqual([
    "no account has the model gpt-none in its catalogue, so none is anchored",
  ]);
});

import { expect, test } from "bun:test";
import { examineOptions } from "../../../src/cli/doctor/options.ts";
import { newBilling } from "../../../src/core/api-billing.ts";
import { parseConfig } from "../../../src/state/config.ts";

const ACCOUNTS = [
  { alias: "Alice", billing: undefined, options: { tags: ["work"] } },
  { alias: "bob", billing: undefined, options: {} },
  { alias: "Openai", billing: newBilling("https://api.example/v1"), options: {} },
];
const found = (text: string) =>
  examineOptions(parseConfig(text, "config.toml").config, ACCOUNTS).map(({ status, detail }) => [
    status,
    detail,
  ]);

test("options of accounts that exist, and tags that an account has, are in order", () => {
  expect(found("")).toEqual([]);
  expect(found('[accounts.alice]\npriority = 1\n[policy]\ntags = ["work"]\ntags_only = true\n')).toEqual([]);
  expect(found('[accounts.bob]\ntags = ["home"]\n[policy]\ntags = ["home", "x"]\n')).toEqual([]);
});

test("options of an account that does not exist have no effect", () => {
  expect(found("[accounts.carol]\npriority = 1\n")).toEqual([
    ["warning", "[accounts.carol] in config.toml has no effect, because there is no account carol"],
  ]);
});

test("a monthly cap has no effect without an API key, and floors have none with one", () => {
  expect(
    found("[accounts.bob]\nmonthly_cap = 20\nfloor_daily = 10\n[accounts.openai]\nmonthly_cap = 20\n"),
  ).toEqual([["warning", "monthly_cap of [accounts.bob] has no effect on that account: it has no API key"]]);
  expect(
    found('[accounts.openai]\nfloor_daily = 10\nfloor_weekly = "20%"\n').map(([, text]) => text),
  ).toEqual([
    "floor_daily of [accounts.Openai] has no effect on that account: it has an API key, which has no quota that a floor could keep back",
    "floor_weekly of [accounts.Openai] has no effect on that account: it has an API key, which has no quota that a floor could keep back",
  ]);
});

test("a tag that no account has is a problem, and a bad one if the policy requires it", () => {
  expect(found('[policy]\ntags = ["x", "y"]\n')).toEqual([
    ["warning", "no account has a tag that policy.tags names (x, y)"],
  ]);
  expect(found('[accounts.alice]\ntags = []\n[policy]\ntags = ["work"]\ntags_only = true\n')).toEqual([
    [
      "bad",
      "no account has a tag that policy.tags names (work), so the proxy refuses every turn that names no tags of its own",
    ],
  ]);
});

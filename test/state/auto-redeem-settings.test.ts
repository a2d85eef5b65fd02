import { expect, test } from "bun:test";
import { parseConfig } from "../../src/state/config.ts";

const read = (text: string) => parseConfig(text, "config.toml").config.policy.auto_redeem;

test("credits are spent automatically only if the settings say so", () => {
  expect(read("")).toEqual({ when: "never", min_wait: "12h", keep: 1, per_day: 1 });
  expect(
    read('[policy]\nauto_redeem = { when = "pool_exhausted", min_wait = "90m", keep = 0, per_day = 2 }'),
  ).toEqual({ when: "pool_exhausted", min_wait: "90m", keep: 0, per_day: 2 });
  expect(read('[policy.auto_redeem]\nwhen = "pool_exhausted"').when).toBe("pool_exhausted");
});

test.each([
  ['when = "always"', '"always" is not allowed; allowed: never, pool_exhausted'],
  ['min_wait = "2 days"', '"2 days" must be a duration of at most 31d'],
  ["keep = -1", "must not be negative"],
  ["keep = 1.5", "must be a whole number"],
  ["per_day = 11", "must be at most 10"],
])("%s is refused", (line, why) => {
  expect(() => read(`[policy.auto_redeem]\n${line}`)).toThrow(why);
});

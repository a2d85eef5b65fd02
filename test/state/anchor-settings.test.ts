// The settings of [anchor].

import { expect, test } from "bun:test";
import { parseConfig } from "../../src/state/config.ts";

const parse = (text: string) => parseConfig(`[anchor]\n${text}`, "/r/config.toml").config.anchor;
const problem = (text: string): string => {
  try {
    parse(text);
    return "";
  } catch (error) {
    return String(error);
  }
};

test("anchoring is off by default", () => {
  expect(parse("")).toEqual({ enabled: false, at: ["07:00"], stagger: true, model: "gpt-5.6-luna" });
  expect(parse('at = []\nmodel = " "')).toEqual(parse(""));
});

test("times are times of the day", () => {
  expect(parse('at = [" 7:30 ", "23:59"]').at).toEqual(["7:30", "23:59"]);
  expect(problem('at = ["24:00"]')).toContain('"24:00" is not a time of the day; write it as "07:00"');
  expect(problem('at = "07:00"')).toContain('must be a list of times, such as ["07:00", "12:30"]');
  expect(problem("at = [7]")).toContain("must be a string in quotes");
});

test("warns of times that are too close to another one, and of an empty list or model", () => {
  const ignored = (text: string) => parseConfig(`[anchor]\n${text}`, "/r/config.toml").ignored;
  expect(ignored('at = ["07:00", "12:00"]\nmodel = "m"')).toEqual([]);
  const late = (line: number, time: string, after: string) =>
    `line ${line}: the time ${time} in anchor.at has no effect on accounts that are anchored at ${after}: their windows are still running then; choose times in anchor.at that are at least 5 hours apart`;
  expect(ignored('enabled = true\nat = ["07:00", "09:00"]')).toEqual([late(3, "09:00", "07:00")]);
  expect(ignored('at = ["01:00", "06:00", "11:00", "16:00", "21:00"]')).toEqual([late(2, "01:00", "21:00")]);
  expect(ignored('at = []\nmodel = ""')).toEqual([
    'line 2: anchor.at = [] is replaced by ["07:00"]',
    'line 3: anchor.model = "" is replaced by "gpt-5.6-luna"',
  ]);
});

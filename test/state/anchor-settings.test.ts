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

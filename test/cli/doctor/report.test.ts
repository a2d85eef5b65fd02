import { expect, test } from "bun:test";
import type { CheckResult } from "../../../src/cli/doctor/finding.ts";
import { checkLines, checkText, failureText, summaryLine } from "../../../src/cli/doctor/report.ts";
import { styleOf } from "../../../src/cli/terminal/glyphs.ts";

const frame = (columns: number, utf8: boolean, colour = false) => ({
  columns,
  style: styleOf({ colour, utf8 }),
});

const RESULTS: CheckResult[] = [
  { check: "config", status: "ok", detail: "/home/me/.codex-lb/config.toml is valid", fixed: false },
  {
    check: "account alice",
    status: "bad",
    detail: "disabled: refresh-token-expired",
    remedy: "run: codexlb account login alice",
    fixed: false,
  },
  {
    check: "clock",
    status: "warning",
    detail:
      "the clock of this machine is 40 s behind that of the backend, which can make tokens look expired",
    remedy: "synchronize the clock",
    fixed: false,
  },
  {
    check: "permissions",
    status: "bad",
    detail: "ROOT is readable by others",
    remedy: "run: x",
    fixed: true,
  },
];

test("a terminal shows a mark for each check, wraps long lines, and indents what to do", () => {
  expect(RESULTS.map((result) => checkLines(result, frame(60, true))).join("")).toBe(`\
✓ config: /home/me/.codex-lb/config.toml is valid
✗ account alice: disabled: refresh-token-expired
  run: codexlb account login alice
! clock: the clock of this machine is 40 s behind that of
  the backend, which can make tokens look expired
  synchronize the clock
✓ permissions: fixed: ROOT is readable by others
`);
});

test("without UTF-8 the marks are ASCII, and colours change no text", () => {
  const plain = RESULTS.map((result) => checkLines(result, frame(80, false))).join("");
  expect(plain.split("\n").map((line) => line.slice(0, 3))).toEqual([
    "ok ",
    " x ",
    "   ",
    " ! ",
    "   ",
    "   ",
    "ok ",
    "",
  ]);
  const coloured = RESULTS.map((result) => checkLines(result, frame(80, false, true))).join("");
  expect(coloured).toContain("\u001b[31m x\u001b[39m");
  expect(Bun.stripANSI(coloured)).toBe(plain);
});

test("the last line sums up", () => {
  const [ok, , warning, fixed] = RESULTS as [CheckResult, CheckResult, CheckResult, CheckResult];
  const summary = (...results: CheckResult[]) => summaryLine(results, frame(80, true));
  expect(summary(ok, ok)).toBe("\n✓ all 2 checks passed\n");
  expect(summary(ok, warning)).toBe("\n! 1 check passed, 1 warning\n");
  expect(summary(ok, fixed)).toBe("\n✓ all 2 checks passed, 1 fixed\n");
});

test("scripts get the lines that they always got", () => {
  expect(RESULTS.map(checkText).join("")).toBe(`\
config: ok (/home/me/.codex-lb/config.toml is valid)
account alice: bad (disabled: refresh-token-expired)
    run: codexlb account login alice
clock: warning (the clock of this machine is 40 s behind that of the backend, which can make tokens look expired)
    synchronize the clock
permissions: fixed (ROOT is readable by others)
`);
});

test("the error at the end counts failed checks and warnings, without those that are fixed", () => {
  expect(failureText(RESULTS)).toBe("1 of 4 checks failed, 1 warning");
  expect(failureText(RESULTS.slice(0, 2))).toBe("1 of 2 checks failed");
});

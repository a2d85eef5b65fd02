// The results of the checks as text: for a person on a terminal, and as lines that scripts read.

import { counted } from "../../core/count-words.ts";
import { oneLine } from "../../printable.ts";
import { wrappedLines } from "../../wrapped-lines.ts";
import type { TableFrame } from "../terminal/fitted-table.ts";
import type { CheckResult } from "./finding.ts";

/** The result of one check on a terminal: a mark, the check and what it found, and what to do on lines of their own. */
export function checkLines(result: CheckResult, { columns, style }: TableFrame): string {
  const { paint, glyphs } = style;
  const { check, status, detail, remedy, fixed } = result;
  const [mark, brush] = isFine(result)
    ? [glyphs.ok, paint.green]
    : status === "warning"
      ? [glyphs.warning, paint.yellow]
      : [glyphs.bad, paint.red];
  const indent = " ".repeat(Bun.stringWidth(mark) + 1);
  const wrapped = (text: string, first: string) =>
    wrappedLines(text, { columns, first }).map((line) => `${line}\n`);
  const found = wrapped(`${check}: ${fixed ? "fixed: " : ""}${oneLine(detail)}`, `${brush(mark)} `);
  if (isFine(result) || remedy === undefined) return found.join("");
  return [...found, ...wrapped(oneLine(remedy), indent).map(paint.bold)].join("");
}

/** The result of one check for scripts: `CHECK: STATUS (DETAIL)`, and what to do on an indented line. */
export function checkText({ check, status, detail, remedy, fixed }: CheckResult): string {
  const line = `${check}: ${fixed ? "fixed" : status} (${oneLine(detail)})\n`;
  return status === "ok" || fixed || remedy === undefined ? line : `${line}    ${oneLine(remedy)}\n`;
}

/** The number of checks that failed, and of those that warn: `1 of 16 checks failed, 2 warnings`. */
export function failureText(results: readonly CheckResult[]): string {
  const open = results.filter(({ fixed }) => !fixed);
  const bad = open.filter(({ status }) => status === "bad").length;
  const warnings = open.filter(({ status }) => status === "warning").length;
  const more = warnings === 0 ? "" : `, ${counted(warnings, "warning")}`;
  return `${bad} of ${results.length} checks failed${more}`;
}

/** The last line on a terminal if no check failed. */
export function summaryLine(results: readonly CheckResult[], { style }: TableFrame): string {
  const { paint, glyphs } = style;
  const fixed = results.filter((result) => result.fixed).length;
  const warnings = results.filter((result) => result.status === "warning" && !result.fixed).length;
  const words = [
    warnings === 0
      ? `all ${results.length} checks passed`
      : `${counted(results.length - warnings, "check")} passed, ${counted(warnings, "warning")}`,
    ...(fixed === 0 ? [] : [`${fixed} fixed`]),
  ];
  const [mark, brush] = warnings === 0 ? [glyphs.ok, paint.green] : [glyphs.warning, paint.yellow];
  return `\n${brush(mark)} ${paint.bold(words.join(", "))}\n`;
}

// --- internal ---

function isFine({ status, fixed }: CheckResult): boolean {
  return status === "ok" || fixed;
}

// A usage report for programs: tab-separated for a pipe, and comma-separated for `--csv` and the dashboard. The columns
// stay as they are; new ones are appended.

import { oneLine } from "../printable.ts";
import type { UsageLine, UsageReport } from "./usage-report.ts";

/** The lines of `report` and its total, with a heading. */
export function usageTsv(report: UsageReport): string {
  return textOf(report, (cells) => `${cells.map(oneLine).join("\t")}\n`);
}

/** The lines of `report` without its total, with a heading (RFC 4180). */
export function usageCsv(report: UsageReport): string {
  return textOf({ ...report, total: undefined }, csvLine);
}

/** One line of comma-separated values (RFC 4180). */
export function csvLine(cells: readonly string[]): string {
  return `${cells.map(csvCell).join(",")}\n`;
}

// --- internal ---

/** The columns after the first, which has the name of the grouping. */
const COLUMNS = [
  "turns",
  "input_tokens",
  "cached_input_tokens",
  "output_tokens",
  "reasoning_tokens",
  "failed",
  "first_output_ms",
  "estimated_cost_usd",
  "unpriced_turns",
] as const satisfies (keyof UsageLine)[];

/** Further columns of sessions. */
const SESSION_COLUMNS = ["project", "first_ms", "last_ms"] as const satisfies (keyof UsageLine)[];

function textOf(
  { by, lines, total }: Pick<UsageReport, "by" | "lines"> & { readonly total: UsageLine | undefined },
  lineOf: (cells: readonly string[]) => string,
): string {
  const columns = by === "session" ? [...COLUMNS, ...SESSION_COLUMNS] : COLUMNS;
  const rows = [
    [by, ...columns],
    ...[...lines, ...(total === undefined ? [] : [total])].map((line) => [
      line.name,
      ...columns.map((name) => String(line[name] ?? "")),
    ]),
  ];
  return rows.map(lineOf).join("");
}

function csvCell(text: string): string {
  const line = oneLine(text);
  // A spreadsheet would run a cell that begins like a formula.
  const inert = /^[=+\-@]/.test(line) && !/^-?\d/.test(line) ? `'${line}` : line;
  return /[",]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}

// A usage report for a person: a table with a bar for each line. Pure: equal arguments give equal text.

import { advised } from "../../advice.ts";
import { dayOf, startOfDay } from "../../core/local-days.ts";
import { pastTime, shortDate } from "../../core/time-words.ts";
import { usageLines } from "../../core/usage-lines.ts";
import type { UsageFilters, UsageGrouping, UsageLine, UsageReport } from "../../core/usage-report.ts";
import {
  compactNumber,
  costNotes,
  costText,
  filterWords,
  sessionNote,
  shareText,
  shortDuration,
  shortProject,
  shortSessions,
  tokensOf,
  unnamedGroup,
} from "../../core/usage-words.ts";
import { wrappedLines } from "../../wrapped-lines.ts";
import { fit } from "../terminal/fit.ts";
import { fittedTable, type TableColumn, type TableFrame } from "../terminal/fitted-table.ts";
import { forecastFrame } from "./forecast-frame.ts";

/** The report, which is limited to `filters`, as text. No line is wider than the terminal. */
export function usageFrame(
  report: UsageReport,
  frame: TableFrame,
  nowMs: number,
  filters: UsageFilters = {},
): string {
  const { columns, style } = frame;
  const { paint, glyphs } = style;
  const cut = (line: string) => `${fit(line, columns, glyphs.ellipsis)}\n`;
  const only = filterWords(filters);
  const head = cut(
    `${paint.bold("usage")}  ${periodText(report, nowMs)}  by ${report.by}${only === "" ? "" : `  ${only}`}`,
  );
  const { forecast } = report;
  const ahead = forecast === undefined ? "" : forecastFrame(forecast, frame, nowMs);
  const notes = noteLines(report, filters)
    .flatMap((text) => wrappedLines(text, { columns }))
    .map((line) => `${paint.dim(line)}\n`)
    .join("");
  const lines = report.by === "day" ? withEmptyDays(report, nowMs) : report.lines;
  if (report.total.turns === 0) return `${head}${cut("no turns in this period")}${notes}${ahead}`;
  const rows = [...lines, report.total];
  return `${head}${fittedTable(columnsOf(rows, report, frame, nowMs), frame)}${notes}${ahead}`;
}

// --- internal ---

const BAR_COLUMNS = 12;
/** A longer period shows only the days with turns. */
const MOST_EMPTY_DAYS = 62;

function columnsOf(
  rows: readonly UsageLine[],
  { by }: UsageReport,
  { style }: TableFrame,
  nowMs: number,
): TableColumn[] {
  const { paint } = style;
  const last = rows.length - 1;
  const sessions = shortSessions(rows.slice(0, last).map(({ name }) => name));
  const most = Math.max(1, ...rows.slice(0, last).map(tokensOf));
  const bold = (text: string, row: number) => (row === last ? paint.bold(text) : text);
  /** Numbers are aligned at their right end. */
  const numbers = (heading: string, textFor: (line: UsageLine) => string, rank?: number): TableColumn => {
    const texts = rows.map(textFor);
    const width = Math.max(heading.length, ...texts.map((text) => text.length));
    return {
      heading: heading.padStart(width),
      cells: texts.map((text) => text.padStart(width)),
      brush: bold,
      ...(rank === undefined ? {} : { rank }),
    };
  };
  const tokens =
    (key: "input_tokens" | "cached_input_tokens" | "output_tokens" | "reasoning_tokens") =>
    ({ [key]: count }: UsageLine) =>
      compactNumber(count);
  return [
    {
      heading: by.toUpperCase(),
      cells: rows.map((line, row) =>
        row === last ? ["total"] : namesOf(line.name, sessions[row] ?? "", by, nowMs),
      ),
      brush: bold,
    },
    ...(by === "session" ? sessionColumns(rows.slice(0, last), nowMs) : []),
    numbers("TURNS", ({ turns }) => String(turns)),
    numbers("INPUT", tokens("input_tokens")),
    numbers("CACHED", tokens("cached_input_tokens"), 5),
    numbers("OUTPUT", tokens("output_tokens")),
    numbers("REASONING", tokens("reasoning_tokens"), 6),
    numbers("CACHE", (line) => shareText(line.cached_input_tokens, line.input_tokens), 2),
    numbers("FAILED", ({ failed }) => String(failed), 1),
    numbers("FIRST", ({ first_output_ms: ms }) => (ms === null ? "-" : shortDuration(ms)), 4),
    numbers("EST. COST", costText),
    {
      heading: "TOKENS",
      cells: rows.map((line, row) => (row === last ? "" : bar(tokensOf(line) / most, style))),
      rank: 3,
    },
  ];
}

/** What identifies the sessions to a person. The row of the total has no such cells. */
function sessionColumns(rows: readonly UsageLine[], nowMs: number): TableColumn[] {
  const time = (atMs: number | undefined) => (atMs === undefined ? "" : pastTime(atMs, nowMs));
  return [
    {
      heading: "PROJECT",
      cells: [...rows.map(({ project = "" }) => shortProject(project)), ""],
      rank: 1,
    },
    { heading: "BEGAN", cells: [...rows.map((line) => time(line.first_ms)), ""], rank: 4 },
    { heading: "LAST TURN", cells: [...rows.map((line) => time(line.last_ms)), ""], rank: 3 },
  ];
}

function bar(share: number, { glyphs }: TableFrame["style"]): string {
  // Every line with tokens has at least one step.
  const steps = share <= 0 ? 0 : Math.max(1, Math.round(share * BAR_COLUMNS));
  return glyphs.full.repeat(steps);
}

/** What a group is called, the longest wording first. `shorter`: the name of a session, shortened. */
function namesOf(name: string, shorter: string, by: UsageGrouping, nowMs: number): string[] {
  if (name === "") return [unnamedGroup(by)];
  switch (by) {
    case "day":
      return [shortDate(new Date(`${name}T00:00`).getTime(), nowMs)];
    case "project":
      return [name, shortProject(name), name.split("/").at(-1) || name];
    case "session":
      return shorter === name ? [name, name.slice(0, SHORT_NAME)] : [shorter];
    default:
      return [name, name.slice(0, SHORT_NAME)];
  }
}

const SHORT_NAME = 20;

function periodText({ since_ms, until_ms }: UsageReport, nowMs: number): string {
  const lastMs = Math.min(until_ms - 1, nowMs);
  const [first, last] = [shortDate(since_ms, nowMs), shortDate(lastMs, nowMs)];
  return first === last ? first : `${first} - ${last}`;
}

/** The lines of `report` with one for each day of a short period. */
function withEmptyDays(report: UsageReport, nowMs: number): readonly UsageLine[] {
  const known = new Map(report.lines.map((line) => [line.name, line]));
  const empty = usageLines([], "day", {}).total;
  const lines: UsageLine[] = [];
  const untilMs = Math.min(report.until_ms, startOfDay(nowMs, 1));
  for (let ms = startOfDay(report.since_ms); ms < untilMs; ms = startOfDay(ms, 1)) {
    if (lines.length >= MOST_EMPTY_DAYS) return report.lines;
    const name = dayOf(ms);
    lines.push(known.get(name) ?? { ...empty, name });
  }
  return lines;
}

function noteLines(report: UsageReport, { session }: UsageFilters): string[] {
  const { lines, recording, by, keep_days } = report;
  return [
    ...costNotes(report),
    ...(by === "session" || session !== undefined ? [sessionNote(keep_days)] : []),
    ...(by === "project" && lines.some(({ name }) => name === "")
      ? ["unknown: Codex names the project only if it runs in a Git repository."]
      : []),
    ...(recording === "off" ? ["The proxy does not record turns now (usage.enabled = false)."] : []),
    ...(recording === "failing"
      ? [`The proxy cannot write its usage database now: run ${advised("doctor")}.`]
      : []),
  ];
}

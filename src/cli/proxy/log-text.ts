// One event of the event log, or several that say the same, as a line for people.

import { accountOf, eventTime, eventWords } from "../../core/event-words.ts";
import { type LogLevel, levelOf } from "../../core/log-level.ts";
import { shortLine } from "../../printable.ts";
import { wrappedLines } from "../../wrapped-lines.ts";
import type { Paint } from "../terminal/colours.ts";
import type { Fold } from "./log-folds.ts";

/**
 * The text of a fold: time (local), account, what happened, the reason, and how often: `x 12 since 10:04`. `nowMs`
 * decides whether the day is shown. Text that does not fit on the first line continues below what happened.
 */
export function logText(
  { first, last, count }: Fold,
  { columns, nowMs, paint }: { readonly columns: number; readonly nowMs: number; readonly paint: Paint },
): string {
  const { what, details } = eventWords(last);
  const brush = BRUSHES[levelOf(last)];
  const repeats = count === 1 ? "" : `, x ${count} since ${withoutSeconds(eventTime(first.ts, nowMs))}`;
  return wrappedLines(`${brush(paint)(shortLine(what))}${shortLine(details)}${repeats}`, {
    columns,
    first: `${paint.dim(eventTime(last.ts, nowMs))}  ${accountOf(last).padEnd(WIDTH)}  `,
  })
    .map((line) => `${line}\n`)
    .join("");
}

// --- internal ---

function withoutSeconds(time: string): string {
  return time.replace(/(\d\d:\d\d):\d\d$/, "$1");
}

/** The width of the column of accounts. */
const WIDTH = 12;

const BRUSHES: Readonly<Record<LogLevel, (paint: Paint) => (text: string) => string>> = {
  error: ({ red }) => red,
  warn: ({ yellow }) => yellow,
  info: () => (text) => text,
  debug: ({ dim }) => dim,
};

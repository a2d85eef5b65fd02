// One event of the event log as a line for people.

import { accountOf, eventTime, eventWords } from "../../core/event-words.ts";
import { type LogEvent, type LogLevel, levelOf } from "../../core/log-event.ts";
import { shortLine } from "../../printable.ts";
import type { Paint } from "../terminal/colours.ts";

/** The line of `event`: time (local), account, what happened, and the reason. `nowMs` decides whether the day is shown. */
export function logText(event: LogEvent, nowMs: number, paint: Paint): string {
  const { what, details } = eventWords(event);
  const brush = BRUSHES[levelOf(event)];
  return `${paint.dim(eventTime(event.ts, nowMs))}  ${accountOf(event).padEnd(WIDTH)}  ${brush(paint)(shortLine(what))}${shortLine(details)}\n`;
}

// --- internal ---

/** The width of the column of accounts. */
const WIDTH = 12;

const BRUSHES: Readonly<Record<LogLevel, (paint: Paint) => (text: string) => string>> = {
  error: ({ red }) => red,
  warn: ({ yellow }) => yellow,
  info: () => (text) => text,
  debug: ({ dim }) => dim,
};

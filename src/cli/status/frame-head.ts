// The head of a status frame: which proxy this is, what it does next, and how old the figures are. Pure.

import { nextTurnOf } from "../../core/next-turn.ts";
import { poolNotes } from "../../core/pool-notes.ts";
import type { StatusAnswer } from "../../core/status-schema.ts";
import { age } from "../../core/status-words.ts";
import { backAt, exactTimeOfDay } from "../../core/time-words.ts";
import { withoutTrailingSlash } from "../../core/urls.ts";
import { oneLine } from "../../printable.ts";
import { wrappedLines } from "../../wrapped-lines.ts";
import { fit } from "../terminal/fit.ts";
import type { TextStyle } from "../terminal/glyphs.ts";
import { withShortNames } from "./short-names.ts";

/** The last status of a proxy, and whether newer requests failed. */
export interface StatusSnapshot {
  readonly status: StatusAnswer;
  /** The proxy's address. */
  readonly url: string;
  /** The time of the reply, in Unix ms. */
  readonly answeredMs: number;
  /** The reason why there is no newer reply; undefined while the proxy answers. */
  readonly trouble: string | undefined;
}

/**
 * The lines of the head, as many as `columns` requires. `notes` are further words, for a screen. They begin on a line of
 * their own, so that a longer name of the next account does not move the table.
 */
export function headOf(
  { status, url }: StatusSnapshot,
  {
    columns,
    notes,
    nowMs,
  }: { readonly columns: number; readonly notes: readonly string[]; readonly nowMs: number },
  { paint, glyphs }: TextStyle,
): string[] {
  const { policy } = status;
  const words = [
    ...(status.proxy_name === "" ? [] : [paint.bold(status.proxy_name)]),
    withoutTrailingSlash(url),
    ...(policy.mode === "" ? [] : [`policy ${policy.mode}`]),
    ...withShortNames(status, columns, glyphs.ellipsis, (named) => [
      ...nextWords(named, nowMs),
      ...poolNotes(named, nowMs),
    ]).flatMap((text) => wrappedLines(text, { columns, strict: true })),
  ];
  return [...linesOf(words, columns), ...linesOf(notes, columns)];
}

/** When the proxy sent the status: `updated 05:41:09`. */
export function updatedWords({ answeredMs }: StatusSnapshot): string {
  return `updated ${exactTimeOfDay(answeredMs)}`;
}

/** `! 1m old: connection refused`. */
export function alarmOf({ answeredMs }: StatusSnapshot, trouble: string, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - answeredMs) / 1000));
  return `! ${age(seconds)} old: ${oneLine(trouble)}`;
}

/** Wraps `text` to at most `rows` lines; the last one is cut off. A text that fits keeps its indentation. */
export function wrap(text: string, columns: number, rows: number, ellipsis: string): string[] {
  const lines = wrappedLines(text, { columns, strict: true });
  if (lines.length <= rows) return lines;
  return [...lines.slice(0, rows - 1), fit(lines.slice(rows - 1).join(" "), columns, ellipsis)];
}

// --- internal ---

const GAP = "  ";

/** `words` on as many lines as `columns` requires. */
function linesOf(words: readonly string[], columns: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    const joined = last === undefined ? word : `${last}${GAP}${word}`;
    if (last !== undefined && Bun.stringWidth(joined) <= columns) lines[lines.length - 1] = joined;
    else lines.push(word);
  }
  return lines;
}

/**
 * `next bob (served last)`, `no account can serve, first back at 19:26 (alice)`, or `every available account is full
 * (turns wait for a slot)`.
 */
function nextWords(status: StatusAnswer, nowMs: number): string[] {
  const next = nextTurnOf(status, nowMs);
  if (next === undefined) return [];
  const { name, headline, why, back } = next;
  const note = why === undefined ? "" : ` (${why})`;
  if (name !== undefined) return [`next ${headline}${note}`];
  if (back === undefined) return [`${headline}${note}`];
  return [`${headline}${note}, first ${backAt(back.atMs, nowMs)} (${back.name})`];
}

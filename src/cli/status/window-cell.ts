// What is left of a quota window, in one cell: the percentage, then a bar, then the reset.

import type { ShownWindow } from "../../core/limit-windows.ts";
import { LITTLE_PCT, wholePercent } from "../../core/status-words.ts";
import { shortUntil, until } from "../../core/time-words.ts";
import type { TextStyle } from "../terminal/glyphs.ts";

/** The size of the parts of all cells of a column. */
export interface CellSize {
  /** The steps of the bar; 0: no bar. */
  readonly bar: number;
  readonly reset: "none" | "short" | "long";
}

/** The width of the widest cell of this size. */
export function cellWidth({ bar, reset }: CellSize): number {
  return PERCENT_WIDTH + (bar === 0 ? 0 : 1 + bar) + (reset === "none" ? 0 : 1 + RESET_WIDTHS[reset]);
}

/** ` 80% ████░ 3h`. Without `window` the cell is blank. */
export function windowCell(
  window: ShownWindow | undefined,
  { bar, reset }: CellSize,
  { paint, glyphs }: TextStyle,
  nowMs: number,
): string {
  if (window === undefined) return "";
  const { leftPct, resetAt } = window;
  const colour = leftPct <= 0 ? paint.red : leftPct < LITTLE_PCT ? paint.yellow : paint.green;
  const filled = leftPct < 0 ? 0 : Math.round((Math.min(100, leftPct) / 100) * bar);
  const rest = leftPct < 0 ? " ".repeat(bar) : paint.dim(glyphs.empty.repeat(bar - filled));
  const percent = wholePercent(leftPct).padStart(PERCENT_WIDTH);
  return [
    leftPct < 0 ? percent : colour(percent),
    ...(bar === 0 ? [] : [`${colour(glyphs.full.repeat(filled))}${rest}`]),
    ...(reset === "none" || resetAt <= 0
      ? []
      : [
          reset === "long"
            ? until(resetAt * 1000, nowMs).replace(/^on /, "")
            : shortUntil(resetAt * 1000, nowMs),
        ]),
  ].join(" ");
}

// --- internal ---

const PERCENT_WIDTH = "100%".length;
/** The widest texts of `shortUntil` and `until`. */
const RESET_WIDTHS = { short: "soon".length, long: "28 Feb 2030".length } as const;

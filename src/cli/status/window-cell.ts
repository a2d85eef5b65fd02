// What is left of a quota window, in one cell: the percentage, then a bar, then the reset.

import type { ShownWindow } from "../../core/limit-windows.ts";
import { LITTLE_PCT, wholePercent } from "../../core/status-words.ts";
import { shortUntil } from "../../core/time-words.ts";
import type { TextStyle } from "../terminal/glyphs.ts";

/** The size of the parts of all cells of a column. */
export interface CellSize {
  /** The steps of the bar; 0: no bar. */
  readonly bar: number;
  readonly hasReset: boolean;
}

/** The width of the widest cell of this size. */
export function cellWidth({ bar, hasReset }: CellSize): number {
  return PERCENT_WIDTH + (bar === 0 ? 0 : 1 + bar) + (hasReset ? 1 + RESET_WIDTH : 0);
}

/** ` 80% ████░ 3h`. Without `window` the cell is blank. */
export function windowCell(
  window: ShownWindow | undefined,
  { bar, hasReset }: CellSize,
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
    // A reset that has passed says nothing: the next one is known after the next turn.
    ...(hasReset && resetAt * 1000 > nowMs ? [shortUntil(resetAt * 1000, nowMs)] : []),
  ].join(" ");
}

// --- internal ---

const PERCENT_WIDTH = "100%".length;
/** The widest text of `shortUntil`. */
const RESET_WIDTH = "soon".length;

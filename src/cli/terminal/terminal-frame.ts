// The terminal that standard output goes to, as tables need it.

import type { TableFrame } from "./fitted-table.ts";
import { outputStyle } from "./glyphs.ts";
import { outputColumns } from "./terminal.ts";

/** The width of terminals that do not report theirs. */
const USUAL_COLUMNS = 80;

/** The width and the style of the terminal; undefined if standard output is not a terminal, so scripts may read it. */
export function terminalFrame(env: Readonly<Record<string, string | undefined>>): TableFrame | undefined {
  if (process.stdout.isTTY !== true) return undefined;
  return { columns: outputColumns(env) || USUAL_COLUMNS, style: outputStyle(env) };
}

// The terminal that standard output goes to, as tables need it.

import { terminalColumns } from "../../terminal-columns.ts";
import type { TableFrame } from "./fitted-table.ts";
import { outputStyle } from "./glyphs.ts";

/** The width and the style of the terminal; undefined if standard output is not a terminal, so scripts may read it. */
export function terminalFrame(env: Readonly<Record<string, string | undefined>>): TableFrame | undefined {
  const columns = terminalColumns(process.stdout, env);
  return columns === undefined ? undefined : { columns, style: outputStyle(env) };
}

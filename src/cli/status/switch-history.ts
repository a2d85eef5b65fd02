// The history of switches: which session moved from which account to which, when and why. Pure.

import { switchWords } from "../../core/reason-words.ts";
import type { StatusAnswer } from "../../core/status-schema.ts";
import { pastTime } from "../../core/time-words.ts";
import { fittedTable, type TableFrame } from "../terminal/fitted-table.ts";

/** The section of the history, the newest switch first: the lines of each entry, the first with the headings. */
export function historySection(
  { switches = [] }: StatusAnswer,
  { columns, style, nowMs }: TableFrame & { readonly nowMs: number },
): string[][] {
  if (switches.length === 0) return [["", `${INDENT}no recent switches`]];
  const [headings = "", ...lines] = fittedTable(
    [
      { heading: "TIME", cells: switches.map(({ at_ms }) => pastTime(at_ms, nowMs)) },
      { heading: "SESSION", cells: switches.map(({ session = "" }) => session), rank: 1 },
      { heading: "SWITCH", cells: switches.map(({ from, to }) => `${from} ${style.glyphs.arrow} ${to}`) },
      { heading: "REASON", cells: switches.map(switchWords) },
    ],
    { columns: Math.max(1, columns - INDENT.length), style },
  )
    .trimEnd()
    .split("\n")
    .map((line) => `${INDENT}${line}`);
  return lines.map((line, index) => (index === 0 ? ["", headings, line] : [line]));
}

// --- internal ---

const INDENT = "  ";

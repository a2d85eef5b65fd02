// The keys for a person, as `codexlb key list` prints them on a terminal.

import type { KeyInfo } from "../../auth/keys.ts";
import { ago } from "../../core/time-words.ts";
import { fittedTable, type TableFrame } from "../terminal/fitted-table.ts";
import { lastUseOf, limitsText, tagsText } from "./key-words.ts";

/** One row for each key. */
export function keyTable(keys: readonly KeyInfo[], frame: TableFrame, nowMs: number): string {
  const { dim } = frame.style.paint;
  return fittedTable(
    [
      { heading: "NAME", cells: keys.map(({ name }) => name) },
      { heading: "ROLE", cells: keys.map(({ role }) => role) },
      { heading: "TAGS", cells: keys.map(({ tags }) => (tags === undefined ? "" : tagsText(tags))) },
      { heading: "LIMITS", cells: keys.map(({ limits }) => limitsText(limits, nowMs)), wraps: true },
      {
        heading: "LAST USED",
        cells: keys.map((key) => ago(lastUseOf(key) ?? 0, nowMs)),
        brush: (text, row) => (keys[row]?.lastUsedMs === undefined ? dim(text) : text),
      },
      { heading: "CREATED", cells: keys.map(({ createdMs }) => ago(createdMs, nowMs)), rank: 1 },
    ],
    frame,
  );
}

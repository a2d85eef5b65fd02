// The keys for a person, as `codexlb key list` prints them on a terminal.

import type { KeyInfo } from "../../auth/keys.ts";
import type { TagDemand } from "../../core/account-tags.ts";
import { ago } from "../../core/time-words.ts";
import { fittedTable, type TableFrame } from "../terminal/fitted-table.ts";

/** `work, home`, and whether other accounts may serve. */
export function tagsText({ tags, only }: TagDemand): string {
  return `${tags.join(", ")}${only ? " (only)" : ""}`;
}

/** One row for each key. */
export function keyTable(keys: readonly KeyInfo[], frame: TableFrame, nowMs: number): string {
  const { dim } = frame.style.paint;
  return fittedTable(
    [
      { heading: "NAME", cells: keys.map(({ name }) => name) },
      { heading: "ROLE", cells: keys.map(({ role }) => role) },
      { heading: "TAGS", cells: keys.map(({ tags }) => (tags === undefined ? "" : tagsText(tags))) },
      {
        heading: "LAST USED",
        cells: keys.map(({ lastUsedMs }) => ago(lastUsedMs ?? 0, nowMs)),
        brush: (text, row) => (keys[row]?.lastUsedMs === undefined ? dim(text) : text),
      },
      { heading: "CREATED", cells: keys.map(({ createdMs }) => ago(createdMs, nowMs)), rank: 1 },
    ],
    frame,
  );
}

// The help page of the live status: all keys.

import type { TextStyle } from "../terminal/glyphs.ts";
import { table } from "../terminal/table.ts";

/** The lines of the page. */
export function helpPage({ glyphs, paint }: TextStyle): string[] {
  const keys: [string, string][] = [
    [`${glyphs.upDown} j k`, "select another account, or scroll a page"],
    ["PgUp PgDn Home End", "the same, by a page or to the end"],
    [glyphs.enter, "show the account as codexlb account show does"],
    ["p", "pin: new turns go only to the account; press again to unpin"],
    ["d", "drain: no new sessions, existing ones stay; press again to end"],
    ["e", "disable: the account gets no turns; press again to enable"],
    ["s", "sort: not at all, by quota left, by status and reset, by name"],
    ["/", "filter by alias or e-mail address"],
    ["h", "show or hide which sessions moved, and why (newest first)"],
    ["Esc", "go back, remove the filter, close the history, or quit"],
    ["Ctrl-Z", "suspend; continue with fg"],
    ["q Ctrl-C", "quit"],
  ];
  const marks: [string, string][] = [
    ["*", "the account that served last"],
    ["P", "the pinned account"],
    [glyphs.pointer, "the selected account"],
  ];
  return [
    paint.bold("Keys"),
    ...linesOf(keys),
    "p, d and e ask before they change anything: y confirms, and any other key cancels. They need access to the proxy's root, or --admin-token.",
    "",
    paint.bold("Marks"),
    ...linesOf(marks),
  ];
}

// --- internal ---

function linesOf(rows: readonly [string, string][]): string[] {
  return table(rows.map(([key, does]) => [`  ${key}`, does]))
    .trimEnd()
    .split("\n");
}

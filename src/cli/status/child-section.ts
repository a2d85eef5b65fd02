// The section of a status frame about child proxies. Pure.

import { childWords, type TreeChild, treeOf } from "../../core/child-words.ts";
import { choiceWords } from "../../core/reason-words.ts";
import type { StatusAnswer } from "../../core/status-schema.ts";
import { oneLine } from "../../printable.ts";
import { wrappedLines } from "../../wrapped-lines.ts";
import { table } from "../terminal/table.ts";

/** A child proxy: its row, and further lines about its problem. */
export interface ChildEntry {
  readonly row: string;
  readonly problem: readonly string[];
}

/**
 * The entries of all child proxies; a child's own children are below it, indented. On a page, a problem has lines of its
 * own; on a screen it is in the row, which may be wider than `columns`.
 */
export function childEntries(
  status: StatusAnswer,
  { columns, nowMs, isPage }: { readonly columns: number; readonly nowMs: number; readonly isPage: boolean },
): ChildEntry[] {
  const children = treeOf(status.child_proxies, 0);
  const showUrl = columns >= URL_COLUMNS;
  const rows = table(
    children.map(({ depth, child }) => [
      `${child.active ? "*" : " "} ${GAP.repeat(depth)}${child.name || "none"}`,
      childWords(child, nowMs),
      ...(showUrl ? [child.url] : []),
      child.last_error ? (isPage ? "" : problemOf(child)) : choiceOf(child),
    ]),
  ).split("\n");
  return children.map(({ depth, child }, index) => ({
    row: (rows[index] ?? "").trimEnd(),
    problem:
      child.last_error && isPage
        ? wrappedLines(oneLine(problemOf(child)), { columns, first: GAP.repeat(depth + 2) })
        : [],
  }));
}

// --- internal ---

type Child = TreeChild["child"];

const GAP = "  ";
/** On narrower terminals the URLs are left out. */
const URL_COLUMNS = 80;

function problemOf({ last_error: error, next }: Child): string {
  return `${error}${next ? `; ${next}` : ""}`;
}

function choiceOf({ selected_target: target, selection_reason: reason }: Child): string {
  return target ? `next ${target}${reason ? ` (${choiceWords(reason)})` : ""}` : "";
}

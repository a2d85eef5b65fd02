// The child proxies of a status document as text.

import { childState, type TreeChild } from "../../core/child-words.ts";
import { table } from "../terminal/table.ts";

/** The table of the Go program. A child of a child is indented below it. */
export function wideChildren(children: readonly TreeChild[]): string {
  const rows = children.map(({ depth, child }) => [
    `${"  ".repeat(depth)}${child.name || "none"}`,
    child.url,
    childState(child),
    child.score.toFixed(3),
    child.selected_target || "none",
    child.selection_reason || "none",
    child.last_error || "none",
  ]);
  return table([["NAME", "URL", "STATUS", "SCORE", "SELECTED", "REASON", "ERROR"], ...rows]);
}

/** A block of lines for each child, for narrow terminals. */
export function compactChildren(children: readonly TreeChild[]): string {
  const blocks = children.map(({ depth, child }) => {
    const indent = "  ".repeat(depth);
    const about = [
      ...(child.selected_target ? [`selected ${child.selected_target}`] : []),
      ...(child.selection_reason ? [`reason ${child.selection_reason}`] : []),
      ...(child.last_error ? [`error ${child.last_error}`] : []),
    ];
    const lines = [
      `- ${child.name || "none"}  ${childState(child)}  score ${child.score.toFixed(3)}`,
      `  ${child.url}`,
      ...(about.length === 0 ? [] : [`  ${about.join("  ")}`]),
    ];
    return lines.map((line) => `${indent}${line}\n`).join("");
  });
  return `child proxies:\n${blocks.join("")}`;
}

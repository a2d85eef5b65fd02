// The child proxies of a status document as text.

import type { ChildAnswer } from "../../core/status-schema.ts";
import { backWords } from "../../core/time-words.ts";
import { table } from "../terminal/table.ts";
import { reasonWords } from "./reason-words.ts";

/** A child proxy and its depth in the chain. */
export interface TreeChild {
  /** 0 for a child of the proxy itself, 1 for a child of that child, and so on. */
  readonly depth: number;
  readonly child: ChildAnswer;
}

/** `children` as a flat list: each one is followed by its own children. */
export function treeOf(children: readonly ChildAnswer[], depth: number): TreeChild[] {
  return children.flatMap((child) => [{ depth, child }, ...treeOf(child.child_proxies ?? [], depth + 1)]);
}

/** The table of the Go program. A child of a child is indented below it. */
export function wideChildren(children: readonly TreeChild[]): string {
  const rows = children.map(({ depth, child }) => [
    `${"  ".repeat(depth)}${child.name || "none"}`,
    child.url,
    childStateOf(child),
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
      `- ${child.name || "none"}  ${childStateOf(child)}  score ${child.score.toFixed(3)}`,
      `  ${child.url}`,
      ...(about.length === 0 ? [] : [`  ${about.join("  ")}`]),
    ];
    return lines.map((line) => `${indent}${line}\n`).join("");
  });
  return `child proxies:\n${blocks.join("")}`;
}

/** The state for a person: like `childStateOf`, with the reason and the end of a cooldown in words. */
export function childWords(child: ChildAnswer, nowMs: number): string {
  const { reachable, cooldown_seconds: seconds, cooldown_reason: reason } = child;
  if (!reachable || seconds <= 0) return childStateOf(child);
  const why = reason === undefined ? "" : ` (${reasonWords(reason)})`;
  return `cooling down${why}, ${backWords(nowMs + seconds * 1000, nowMs)[0]}`;
}

// --- internal ---

/** `ready`, `unhealthy`, `cooldown(Ns)`, `unreachable`, `misconfigured`. */
function childStateOf({ reachable, cooldown_seconds, healthy, next }: ChildAnswer): string {
  if (!reachable) return next === undefined ? "unreachable" : "misconfigured";
  if (cooldown_seconds > 0) return `cooldown(${cooldown_seconds}s)`;
  return healthy ? "ready" : "unhealthy";
}

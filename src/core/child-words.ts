// The child proxies of a status document as a flat list, and their states in words.

import { reasonWords } from "./reason-words.ts";
import type { ChildAnswer } from "./status-schema.ts";
import { backWords } from "./time-words.ts";

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

/** `ready`, `unhealthy`, `cooldown(Ns)`, `unreachable`, `misconfigured`. */
export function childState({ reachable, cooldown_seconds, healthy, next }: ChildAnswer): string {
  if (!reachable) return next === undefined ? "unreachable" : "misconfigured";
  if (cooldown_seconds > 0) return `cooldown(${cooldown_seconds}s)`;
  return healthy ? "ready" : "unhealthy";
}

/** The state for a person: like `childState`, with the reason and the end of a cooldown in words. */
export function childWords(child: ChildAnswer, nowMs: number): string {
  const { reachable, cooldown_seconds: seconds, cooldown_reason: reason } = child;
  if (!reachable || seconds <= 0) return childState(child);
  const why = reason === undefined ? "" : ` (${reasonWords(reason)})`;
  return `cooling down${why}, ${backWords(nowMs + seconds * 1000, nowMs)[0]}`;
}

// Reads the events of one turn (the Responses stream, over SSE or as WebSocket messages) just far enough to know whether
// the turn has produced output, how it ended, and what it reported about limits.

import { type Failure, failureOfEvent } from "./failure.ts";
import { parseJson, stringFields } from "./json.ts";
import type { QuotaEvidence } from "./quota.ts";
import { limitsOfEvent } from "./recent-limits.ts";

/** What one event means for the turn it belongs to. */
export type TurnSignal =
  /** No output for the client yet. */
  | { readonly kind: "preamble" }
  | { readonly kind: "quota"; readonly evidence: QuotaEvidence | undefined; readonly event: unknown }
  | { readonly kind: "output" }
  | { readonly kind: "completed" }
  | { readonly kind: "failed"; readonly failure: Failure };

/** Events without output. They are held back until output or a failure arrives. */
const PREAMBLE: ReadonlySet<string> = new Set([
  "response.created",
  "response.in_progress",
  "response.queued",
  "response.metadata",
  "codex.response.metadata",
  "keepalive",
]);

/** Matches the backend's spelling and other valid ones. */
const COMPACTION = /"item"\s*:\s*\{[^{}]*"type"\s*:\s*"compaction"/;

/**
 * Reads one event given as JSON text. An unknown event counts as output, so that it is never lost. `type`: the type of
 * the event, if the caller already knows it.
 */
export function readTurnSignal(json: string, nowMs: number, type = eventType(json)): TurnSignal {
  if (type === undefined) return { kind: "output" };
  if (PREAMBLE.has(type)) return { kind: "preamble" };
  switch (type) {
    case "codex.rate_limits":
    case "token_count":
    case "event_msg": {
      const { event, evidence } = limitsOfEvent(json, nowMs);
      return evidence === undefined && type !== "codex.rate_limits"
        ? { kind: "output" }
        : { kind: "quota", evidence, event };
    }
    case "error":
    case "response.failed":
      return { kind: "failed", failure: failureOfEvent(parseJson(json), nowMs) };
    case "response.completed":
    case "response.incomplete":
      return { kind: "completed" };
    default:
      return { kind: "output" };
  }
}

/** True for an `output_item.done` event of a compaction: the whole history in one ciphertext, which cannot be dropped. */
export function isCompaction(json: string): boolean {
  return json.includes('"compaction"') && COMPACTION.test(json);
}

/**
 * The `type` of a JSON event: read from the start if it comes first (so far it always does), otherwise found by a scan.
 */
export function eventType(json: string): string | undefined {
  if (json.startsWith(TYPE_FIRST)) {
    const end = json.indexOf('"', TYPE_FIRST.length);
    const type = json.slice(TYPE_FIRST.length, end);
    if (end > 0 && !type.includes("\\")) return type;
  }
  const head = /^\s*\{\s*"type"\s*:\s*"([^"\\]*)"/.exec(json);
  return head === null ? stringFields(json, ["type"]).type : head[1];
}

// --- internal ---

/** How the backend's events begin. Comparing this text takes a fraction of the time of the regular expression. */
const TYPE_FIRST = '{"type":"';

// How the proxy reports a turn to the traces, if there are any. src/tracing/ implements it.

import { memberOf, textAt } from "../core/json.ts";
import type { TurnRecord } from "../core/turn-record.ts";
import type { Upstream } from "../upstream/upstream.ts";
import type { AttemptEnd } from "./traffic-counts.ts";

/** The trace of one turn. */
export interface TurnTrace {
  attemptBegan(upstream: Pick<Upstream, "kind" | "label">): void;
  /** The attempt that began last has ended, or serves the turn. */
  attemptEnded(end: AttemptEnd): void;
  turnEnded(turn: TurnRecord): void;
}

/** Begins the trace of a turn with this `traceparent` of its client; undefined if the turn is not sampled. */
export type BeginTrace = (traceparent: string | null | undefined) => TurnTrace | undefined;

/** The `traceparent` in a `response.create` message, as Codex sends it; undefined if there is none. */
export function traceparentIn(message: string): string | undefined {
  if (!message.includes(`"${TRACEPARENT_MEMBER}"`)) return undefined;
  const metadata = memberOf(message, "client_metadata");
  const member = metadata && memberOf(message, TRACEPARENT_MEMBER, metadata.start);
  return member && textAt(message, member);
}

// --- internal ---

const TRACEPARENT_MEMBER = "ws_request_header_traceparent";

// The counts of the data plane. The proxy reports what happens; src/metrics/ keeps the numbers.

import type { TurnTransport } from "../core/turn-record.ts";
import type { ErrorCode } from "../errors.ts";

/**
 * What an upstream was asked for. `turn`: a turn, also one that only prepares a WebSocket. `handshake`: a WebSocket,
 * before its first turn. `other`: anything else, such as a catalogue.
 */
export type AttemptPurpose = "turn" | "handshake" | "other";

/**
 * How an attempt ended, in the terms of the table in core/verdict.ts. `served`: the upstream answers the request.
 * `client_error`: it refused the request itself. `connection`: the connection failed. `unready`: the request could not
 * be prepared, for example because no token could be renewed. `aborted`: the client disconnected.
 */
export const ATTEMPT_RESULTS = [
  "served",
  "client_error",
  "limit",
  "cooldown",
  "elsewhere",
  "login_ended",
  "foreign_ciphertext",
  "connection",
  "unready",
  "aborted",
] as const;
export type AttemptEnd = (typeof ATTEMPT_RESULTS)[number];

/**
 * Who answered a request. `upstream`: an upstream's response was passed on, or its WebSocket was opened. `proxy`:
 * codexlb answered itself, also after upstreams had failed.
 */
export type AnsweredBy = "upstream" | "proxy";

export interface TrafficCounts {
  /** A request got its response. */
  answered(by: AnsweredBy, status: number): void;
  /** The proxy refused a request before it used an upstream. */
  refused(code: ErrorCode): void;
  /** A client got an error with this code in place of a WebSocket. */
  handshakeRefused(code: string): void;
  /** The attempt to have a request served by the upstream with this id ended. */
  attempt(purpose: AttemptPurpose, end: AttemptEnd, upstreamId: string): void;
  /** A turn was sent to its first upstream, this long after the proxy had received it whole. */
  sent(transport: TurnTransport, seconds: number): void;
}

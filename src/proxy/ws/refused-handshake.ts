// Counts a refused handshake, and records the turn for which Codex wanted the WebSocket. Codex also opens one before it
// has a turn; the metadata in its handshake say whether there is one. After a refusal Codex ends the turn, or tries
// again. Only after a 426 does it send the turn over HTTP, where it is recorded.

import { TURN_METADATA, turnMetadataOf } from "../../core/turn-metadata.ts";
import type { IncomingRequest, ProxyContext } from "../context.ts";
import type { Refusal } from "../refusal.ts";
import { createTurnRecorder } from "../turn/turn-recorder.ts";

/** Counts a handshake that was refused with `code`, and records its turn if it has one. */
export function recordRefusedHandshake(
  context: Pick<ProxyContext, "counts" | "deps" | "self" | "turns" | "movedTurns">,
  incoming: IncomingRequest,
  session: string | undefined,
  { code }: Pick<Refusal, "code">,
): void {
  context.counts.handshakeRefused(code);
  const { headers } = incoming.request;
  const metadata = headers.get(TURN_METADATA);
  const { kind } = turnMetadataOf(metadata);
  // Other clients do not say whether they have a turn.
  if (kind === undefined) return;
  createTurnRecorder(context, incoming, {
    session,
    model: modelOfHint(headers.get(ROUTING_HINT)),
    transport: "websocket",
    kind,
    metadata,
    trace: undefined,
  })?.end("refused", code);
}

// --- internal ---

/** Codex 0.171 names the model of the turn in this header of its handshake: `model=gpt-6.2-sol`. */
const ROUTING_HINT = "x-codex-routing-hint";

function modelOfHint(hint: string | null): string | undefined {
  return /(?:^|[;,\s])model=([^;,\s]+)/.exec(hint ?? "")?.[1];
}

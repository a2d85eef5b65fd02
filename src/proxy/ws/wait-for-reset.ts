// Lets a turn on a WebSocket wait for a reset. Codex gives up after five minutes without an event, so the proxy sends it
// the pool's limits once a minute.

import type { Origin } from "../../upstream/placement.ts";
import { mainLimitsEvent } from "../pool-limits.ts";
import type { TurnWait } from "../waiting-turns.ts";
import { COPIES_OF_TURN, type TunnelContext, type TunnelParts } from "./tunnel-parts.ts";

/** The wait of the turn that `message` requests; undefined if the turn must not wait. */
export function waitOf(
  { pool, waiting }: TunnelContext,
  { incoming, client, closing }: TunnelParts,
  { origin, message }: { readonly origin: Origin; readonly message: string },
): TurnWait | undefined {
  const turn = {
    incoming,
    origin,
    bytes: COPIES_OF_TURN * message.length,
    signal: closing.signal(),
    keepAlive: () => client.send(mainLimitsEvent(pool.usage())),
  };
  return waiting.waitFor(turn, pool.shortage(origin.session, origin.model, incoming.tags));
}

// Sends a turn on the upstream's open socket, or on one that it dials for the turn.

import type { Lease } from "../../upstream/leases.ts";
import type { PreparedRequest } from "../../upstream/upstream.ts";
import type { Exchange } from "../exchange.ts";
import { portableRequest, turnRequestOf, withoutTurnState } from "../turn/portable.ts";
import { createTurnReader, type TurnReader } from "../turn/turn-reader.ts";
import type { SendResult, Transport } from "../use-upstream.ts";
import { type BeginTurnResult, beginTurn } from "./begin-turn.ts";
import { dialUpstream, type RefusedDial, type UpstreamConnection } from "./dial-upstream.ts";
import type { TunnelContext, TunnelParts } from "./tunnel-parts.ts";

export type TurnReply =
  | (Extract<BeginTurnResult, { kind: "begun" }> & { readonly reader: TurnReader })
  | Extract<BeginTurnResult, { kind: "failed" | "too_big" }>
  | RefusedDial;

export interface TurnTransportOptions {
  /** A `response.create` message. */
  readonly message: string;
  /** False if it refers to an earlier response of its socket, so that no other socket can take it. */
  readonly isSelfContained: boolean;
  /** The upstream that the tunnel was connected to before the turn. */
  readonly homeId: string;
}

export function createTurnTransport(
  context: TunnelContext,
  { upstream, closing }: TunnelParts,
  exchange: Exchange,
  { message, isSelfContained, homeId }: TurnTransportOptions,
): Transport<TurnReply> {
  let isSent = false;

  const openTo = (lease: Lease): UpstreamConnection | undefined => {
    const open = upstream.current();
    return open.upstreamId === lease.upstream.id && open.socket.isOpen() ? open : undefined;
  };

  /**
   * Begins the turn on `open`. If the upstream refuses another account's ciphertext in the input, begins the turn again
   * without the ciphertext.
   */
  const sendOn = async (
    open: UpstreamConnection,
    lease: Lease,
    text: string,
    isRepaired = false,
  ): Promise<TurnSendResult> => {
    const reader = createTurnReader(context, exchange, lease);
    const begun = await beginTurn(open.socket, text, reader, {
      clock: context.deps.clock,
      timeouts: context.settings().timeouts,
      patienceMs: lease.upstream.patienceMs,
      closing,
    });
    switch (begun.kind) {
      case "begun":
        return replied({ kind: "open" }, { ...begun, reader });
      case "failed": {
        const isForeign = begun.verdict.kind === "foreign_ciphertext" && !isRepaired;
        const portable = isForeign && turnRequestOf(text).isSelfContained ? portableRequest(text) : undefined;
        return portable === undefined
          ? replied(begun.verdict, begun, begun.failure.attempts)
          : sendOn(open, lease, portable, true);
      }
      case "too_big":
        return replied({ kind: "client" }, begun);
      case "broken":
      case "aborted":
        return begun;
      default:
        return begun satisfies never;
    }
  };

  const sendOnNew = async (
    prepared: PreparedRequest,
    lease: Lease,
    text: string,
  ): Promise<SendResult<TurnReply>> => {
    const moved = lease.upstream.id !== homeId;
    const dialled = await dialUpstream(context, prepared, lease.upstream, {
      moved,
      signal: closing.signal(),
    });
    if (dialled.kind !== "reply") return dialled;
    const { reply, evidence } = dialled;
    if (reply.kind === "refused") return { ...dialled, reply };
    if (evidence !== undefined) lease.learn(evidence);
    upstream.replace(reply.open);
    return sendOn(reply.open, lease, text);
  };

  return {
    reusable: (lease) => openTo(lease)?.prepared,
    send: async (prepared, lease) => {
      // The login was refused and then renewed. A new connection does not help, because the turn refers to a response
      // on the old one.
      if (isSent && !isSelfContained) return { kind: "broken", why: "the login was renewed" };
      isSent = true;
      const text = lease.upstream.id === homeId ? message : withoutTurnState(message);
      const open = openTo(lease);
      // The request was prepared again because the login was renewed, and the open socket still uses the old login.
      if (open === undefined || (open.prepared !== prepared && isSelfContained))
        return isSelfContained
          ? sendOnNew(prepared, lease, text)
          : { kind: "broken", why: "the connection is closed" };
      const sent = await sendOn(open, lease, text);
      // An idle socket may have been closed meanwhile, which is not the upstream's fault.
      return sent.kind === "broken" && sent.isStale && isSelfContained
        ? sendOnNew(prepared, lease, text)
        : sent;
    },
    // The socket stays open until another one takes its place.
    discard: () => {},
  };
}

// --- internal ---

type TurnSendResult =
  | Exclude<SendResult<TurnReply>, { kind: "broken" }>
  | Extract<BeginTurnResult, { kind: "broken" }>;

/** A reply without evidence, because the turn reader has already learned about limits from the events. */
function replied(
  verdict: (SendResult<TurnReply> & { kind: "reply" })["verdict"],
  reply: TurnReply,
  attempts?: number,
): TurnSendResult {
  return { kind: "reply", verdict, reply, evidence: undefined, attempts };
}

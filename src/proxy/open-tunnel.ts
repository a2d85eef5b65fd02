// The beginning of a WebSocket: the upstream is dialled before the client is upgraded, so refusals are honest HTTP
// answers.

import type { Incoming } from "./context.ts";
import { dialAccount, refusedDial, useHttp } from "./dial-account.ts";
import { sessionFromHeaders } from "./session.ts";
import { createTunnel, type Tunnel, type TunnelContext } from "./tunnel.ts";

export type Opened =
  | { readonly kind: "tunnel"; readonly tunnel: Tunnel }
  | { readonly kind: "refused"; readonly response: Response };

/** Dials an upstream for a client that requests a WebSocket. */
export async function openTunnel(context: TunnelContext, incoming: Incoming): Promise<Opened> {
  const session = sessionFromHeaders(incoming.request.headers);
  const sentToHttp = (why: string): Opened => {
    context.events.append("websocket.failed", { req_id: incoming.requestId, error: "use_http" });
    return { kind: "refused", response: useHttp(why) };
  };
  if (session !== undefined && context.handovers.tooMany(session))
    return sentToHttp("the session was handed over too often without output");
  const outcome = await dialAccount(context, incoming, session);
  switch (outcome.kind) {
    case "aborted":
      return { kind: "refused", response: new Response(null, { status: 499 }) };
    case "failed":
      return { kind: "refused", response: refusedDial(context, incoming, session, outcome) };
    case "reply": {
      const { lease, reply } = outcome;
      // Only a turn is a use: a socket may lie idle for hours.
      lease.release();
      if (reply.kind === "refused")
        return sentToHttp(`the backend answered the WebSocket handshake with ${reply.status}`);
      context.events.append("websocket.account_selected", {
        req_id: incoming.requestId,
        ...lease.upstream.named,
        account_alias: lease.upstream.label,
      });
      try {
        return { kind: "tunnel", tunnel: createTunnel(context, incoming, session, reply.far, lease.choice) };
      } catch (error) {
        reply.far.socket.close();
        throw error;
      }
    }
    default:
      return outcome satisfies never;
  }
}

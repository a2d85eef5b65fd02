// The listening server: accepts requests, upgrades WebSockets to tunnels, forwards all other requests, and shuts down
// in order.

import type { Server, ServerWebSocket } from "bun";
import type { ListenAddress } from "../core/listen.ts";
import { REPORT_BUG } from "../core/project-pages.ts";
import { CodexlbError, messageOf, systemCodeOf, systemProblem } from "../errors.ts";
import type { Descriptors } from "../state/descriptors.ts";
import { type AdmitContext, createAdmit, INCOMPLETE_HANDSHAKE, keyRemoved } from "./admit.ts";
import { type ConnectionLimits, createConnections } from "./connections.ts";
import type { IncomingRequest } from "./context.ts";
import type { ForwardResult } from "./http/client-response.ts";
import { forward } from "./http/forward.ts";
import { endedKeyRefusal } from "./key-limits.ts";
import { errorResponse, refusalResponse } from "./refusal.ts";
import { raiseBunHeadLimit } from "./request-head.ts";
import { openTunnel } from "./ws/open-tunnel.ts";
import { MESSAGE_LIMIT_BYTES, type Tunnel } from "./ws/tunnel.ts";
import type { TunnelContext } from "./ws/tunnel-parts.ts";

export interface ServerContext extends TunnelContext, AdmitContext {
  readonly descriptors: Descriptors;
  readonly limits: ConnectionLimits;
}

export interface ProxyServer {
  readonly port: number;
  /** Accepts no more connections, closes idle WebSockets, and waits for requests in flight until `deadline` settles. */
  stop(deadline: Promise<unknown>): Promise<void>;
}

/**
 * How much of one socket a client may leave unread before it is disconnected. A tunnel makes the upstream wait long
 * before that; the difference allows for one more message, which has at most 32 MiB.
 */
const BACKPRESSURE_LIMIT_BYTES = 64 * 1024 * 1024;

/** Starts listening. Throws `listen_failed`. */
export function startServer(listen: ListenAddress, context: ServerContext): ProxyServer {
  /** Open WebSockets, each with the function that ends its use of the connection and of the grant. */
  const tunnels = new Map<Tunnel, () => void>();
  let isStopping = false;
  const connections = createConnections(context);
  const admit = createAdmit(context, connections.refusal);

  const serve = async (
    incoming: IncomingRequest,
    server: Server<Tunnel>,
  ): Promise<ForwardResult | undefined> => {
    try {
      if (incoming.isHandshake) {
        const response = await tunnelFor(incoming, server);
        return response && { by: "proxy", response };
      }
      const result = await forward(context, incoming);
      if (!incoming.isRevoked()) return result;
      return { by: "proxy", response: refusalResponse(endedKeyRefusal(keyRemoved(), incoming)) };
    } catch (error) {
      incoming.ended();
      return { by: "proxy", response: failure(context, incoming.request, error, incoming.requestId) };
    }
  };

  /** The response to a handshake that is refused; undefined if the connection has become a WebSocket. */
  const tunnelFor = async (
    incoming: IncomingRequest,
    server: Server<Tunnel>,
  ): Promise<Response | undefined> => {
    const { request, connection, holder, signal } = incoming;
    await connection.received();
    const opened = await openTunnel(context, incoming).finally(incoming.ended);
    if (opened.kind === "refused")
      return incoming.isRevoked() ? errorResponse(keyRemoved()) : opened.response;
    const { tunnel } = opened;
    if (signal.aborted || !server.upgrade(request, { data: tunnel, headers: tunnel.headers })) {
      tunnel.closedByClient();
      return errorResponse(signal.aborted ? keyRemoved() : INCOMPLETE_HANDSHAKE);
    }
    const closed = connection.upgrades();
    const leave = holder === undefined ? () => {} : context.admission.enter(holder, tunnel.revoke);
    tunnels.set(tunnel, () => {
      leave();
      closed();
    });
    return undefined;
  };

  const counted = ({ by, response }: ForwardResult): Response => {
    context.counts.answered(by, response.status);
    return response;
  };

  raiseBunHeadLimit();
  const server = listening(listen, () =>
    Bun.serve<Tunnel>({
      hostname: listen.host,
      port: listen.port,
      idleTimeout: context.limits.keepAliveSeconds,
      development: false,
      // By default, Bun shares ports outside of development, and a second proxy would get half of the clients.
      reusePort: false,
      // The proxy refuses large bodies itself (`readBody`), because Bun's own 413 has no body that explains it.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch: async (request, self) => {
        const connection = connections.take(request);
        try {
          const admitted = await admit(request, connection);
          if (admitted.kind === "answered") return counted({ by: "proxy", response: admitted.response });
          const result = await serve(admitted.incoming, self);
          if (result !== undefined) return counted(result);
          // The connection has become a WebSocket.
          context.counts.answered("upstream", SWITCHING_PROTOCOLS);
          return undefined;
        } catch (error) {
          return counted({ by: "proxy", response: failure(context, request, error, undefined) });
        } finally {
          connection.handled();
        }
      },
      websocket: {
        idleTimeout: 0,
        sendPings: true,
        perMessageDeflate: false,
        maxPayloadLength: MESSAGE_LIMIT_BYTES,
        backpressureLimit: BACKPRESSURE_LIMIT_BYTES,
        closeOnBackpressureLimit: true,
        open: (socket: ServerWebSocket<Tunnel>) => {
          socket.data.opened(socket);
          // Its handshake was in progress when the shutdown began.
          if (isStopping) socket.data.drain();
        },
        message: (socket, message) =>
          socket.data.fromClient(typeof message === "string" ? message : new Uint8Array(message)),
        drain: (socket) => socket.data.drained(),
        close: (socket) => {
          tunnels.get(socket.data)?.();
          tunnels.delete(socket.data);
          socket.data.closedByClient();
        },
      },
    }),
  );
  connections.watch(server);
  return {
    port: server.port ?? listen.port,
    stop: async (deadline) => {
      isStopping = true;
      const finished = server.stop(false);
      for (const tunnel of tunnels.keys()) tunnel.drain();
      const late = deadline.then(() => "late");
      if ((await Promise.race([finished, late])) === "late") await server.stop(true);
      connections.stop();
    },
  };
}

// --- internal ---

const SWITCHING_PROTOCOLS = 101;

function listening<T>({ host, port }: ListenAddress, start: () => T): T {
  try {
    return start();
  } catch (error) {
    const taken = systemCodeOf(error) === "EADDRINUSE";
    throw new CodexlbError(
      "listen_failed",
      `listening on ${host}:${port}: ${taken ? "the address is in use" : systemProblem(error)}`,
      { next: "choose another --listen address, or stop the program that uses this one", cause: error },
    );
  }
}

/** The response for a request that ended in an error. Logs the error as the end of request `requestId`. */
function failure(
  { deps, events }: ServerContext,
  request: Request,
  error: unknown,
  requestId: number | undefined,
): Response {
  const about = requestId === undefined ? {} : { req_id: requestId };
  if (request.signal.aborted) {
    if (requestId !== undefined) events.append("request.canceled", about);
    return new Response(null, { status: 499 }); // the client has disconnected
  }
  if (error instanceof CodexlbError) {
    if (requestId !== undefined)
      events.append("request.failed", { ...about, status: error.status, error: error.code });
    const response = errorResponse(error);
    // The rest of the body is not read.
    if (error.code === "body_too_large") response.headers.set("connection", "close");
    return response;
  }
  const what = `handling a ${request.method} request`;
  deps.log.warn(`${what}: ${messageOf(error)}`);
  events.append("request.failed", { ...about, error: "internal" });
  const internal = new CodexlbError("internal", `${what} failed inside codexlb: ${messageOf(error)}`, {
    next: REPORT_BUG,
  });
  return errorResponse(internal);
}

// The clients' connections, and how long each of them may be silent. There is a time limit while the client has
// something to send and none while it waits, so streams, long polls and tunnels are never closed for being quiet.
//
//   phase                              limit
//   first head                         10 to 12 s, however many bytes drip in; built into Bun
//   body                               `bodySeconds`, renewed whenever 16 KiB/s * `bodySeconds` have arrived
//   waiting for and reading a response none
//   keep-alive, and a later head       `keepAliveSeconds` after the last response
//
// Bun measures these limits in its event loop, so time during which the process is stopped does not count.

import type { Server } from "bun";
import { counted } from "../core/count-words.ts";
import type { Deps } from "../deps.ts";
import { type Descriptors, peerKey } from "../state/descriptors.ts";
import type { EventLog } from "../state/events.ts";
import {
  createDescriptorRoom,
  type DescriptorRoom,
  type DescriptorShortage,
  type UsedConnections,
} from "./descriptor-room.ts";

export interface ConnectionLimits {
  readonly bodySeconds: number;
  readonly keepAliveSeconds: number;
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  // The longest silence of an upload. At the lowest rate that Bun accepts, 100 MiB can still take nearly two hours.
  bodySeconds: 60,
  // Longer than the 90 s after which Codex closes idle connections. If the client closes first, no request arrives on a
  // connection that the proxy is closing.
  keepAliveSeconds: 120,
};

export interface ConnectionsContext {
  readonly deps: Pick<Deps, "log">;
  readonly events: EventLog;
  readonly descriptors: Descriptors;
  readonly limits: ConnectionLimits;
}

export interface Connections extends Pick<DescriptorRoom, "stop" | "refusal"> {
  /** Follows the connections of `server`, from before its first request. */
  watch(server: Server<unknown>): void;
  /** The connection that `request` arrived on. It counts as in use until a method of `Connection` ends that. */
  take(request: Request): Connection;
}

/** A client's connection while it is used for one request. */
export interface Connection {
  /**
   * The whole request has arrived: no time limit from now on. Resolves once Bun has read the rest of the packet in
   * which the request ended. If that packet contains a second request, Bun closes the connection without a response.
   * Then, and when the client disconnects for another reason, this rejects and nothing should be sent upstream.
   */
  received(): Promise<void>;
  /** The response is a stream: the connection is in use until the returned function is called. */
  streams(): () => void;
  /** The response may be a stream whose end is not reported: no time limit until the next request. */
  lasts(): void;
  /** The connection has become a WebSocket: it is in use until the returned function is called. */
  upgrades(): () => void;
  /** The handler has returned a response, which is complete unless one of the methods above was called. */
  handled(): void;
}

export function createConnections(context: ConnectionsContext): Connections {
  const { descriptors, limits } = context;
  let server: Server<unknown> | undefined;
  // Not a table keyed by request: that would cost every request 7 % more CPU time.
  const inUse = new Set<ConnectionUse>();
  /** Requests whose end is known only to Bun. */
  const lasting = new Map<Request, ConnectionUse>();

  const used = (): UsedConnections => {
    const answering = new Set<string>();
    const receiving = new Map<string, number>();
    for (const { peer, isReceiving, sinceMs } of inUse) {
      if (peer === null || peer === undefined) continue;
      const key = peerKey(peer.address, peer.port);
      if (isReceiving) receiving.set(key, sinceMs);
      else answering.add(key);
    }
    return { answering, receiving };
  };
  const room = createDescriptorRoom({
    descriptors,
    port: () => server?.port ?? 0,
    used,
    report: (shortage) => reportShortage(context, shortage),
  });
  const forgetEnded = (): void => {
    for (const [request, use] of lasting)
      if (server?.requestIP(request) === null) {
        lasting.delete(request);
        inUse.delete(use);
      }
  };

  const take = (request: Request): Connection => {
    if (lasting.size > 0) forgetEnded();
    const use: ConnectionUse = {
      peer: server?.requestIP(request),
      isReceiving: hasBody(request),
      sinceMs: performance.now(),
      endsLater: false,
    };
    inUse.add(use);
    server?.timeout(request, use.isReceiving ? limits.bodySeconds : 0);
    const wholeIsHere = (): void => {
      use.isReceiving = false;
      server?.timeout(request, 0);
    };
    const end = (): void => {
      inUse.delete(use);
      server?.timeout(request, limits.keepAliveSeconds);
    };
    return {
      received: async () => {
        wholeIsHere();
        await new Promise((resolve) => setImmediate(resolve));
        request.signal.throwIfAborted();
      },
      streams: () => {
        use.endsLater = true;
        return end;
      },
      lasts: () => {
        use.endsLater = true;
        wholeIsHere();
        lasting.set(request, use);
      },
      upgrades: () => {
        use.endsLater = true;
        return () => {
          inUse.delete(use);
        };
      },
      handled: () => {
        if (!use.endsLater) end();
      },
    };
  };

  return {
    watch: (started) => {
      server = started;
      room.start();
    },
    stop: room.stop,
    refusal: room.refusal,
    take,
  };
}

// --- internal ---

interface ConnectionUse {
  /** Null or undefined if the client has already disconnected. */
  readonly peer: ReturnType<Server<unknown>["requestIP"]> | undefined;
  isReceiving: boolean;
  /** On the clock of `performance.now()`. */
  readonly sinceMs: number;
  endsLater: boolean;
}

function hasBody({ headers }: Request): boolean {
  return headers.has("transfer-encoding") || Number(headers.get("content-length") ?? 0) > 0;
}

function reportShortage({ deps, events }: ConnectionsContext, shortage: DescriptorShortage): void {
  const { open, limit, closedConnections, refusedRequests } = shortage;
  events.append("connections.limited", {
    open_files: open,
    limit,
    closed_connections: closedConnections,
    refused_requests: refusedRequests,
  });
  deps.log.warn(
    `too many connections: ${open} of ${limit} file descriptors in use, ${counted(closedConnections, "silent connection")} closed, ${counted(refusedRequests, "request")} refused; if these are your own clients, raise the open file limit (ulimit -n)`,
  );
}

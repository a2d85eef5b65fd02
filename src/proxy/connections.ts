// The clients' connections, and how long each may keep silent. What a client has to send has a time limit; what it waits
// for has none, so streams, long polls and tunnels are never cut for being quiet.
//
//   phase                              limit
//   first head                         10 to 12 s, however many bytes drip in; built into Bun
//   body                               `bodySeconds`, renewed whenever 16 KiB/s * `bodySeconds` have arrived
//   waiting for the answer, reading it none
//   keep-alive, and a later head       `keepAliveSeconds` after the last answer
//
// Bun keeps these limits in its event loop, so time during which the process is stopped does not count.

import type { Server } from "bun";
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
  // The longest that an upload may be silent. At Bun's least rate 100 MiB may still take nearly two hours.
  bodySeconds: 60,
  // Codex drops idle connections after 90 s. As long as the client goes first, no request arrives on a connection that
  // is being closed.
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
  /** The connection that `request` came by. It is in use until `Connection` reports otherwise. */
  take(request: Request): Connection;
}

/** A client's connection while it is used for one request. */
export interface Connection {
  /**
   * The whole request is here: no time limit from now on. Resolves once Bun has read the rest of the packet that the
   * request ended in. A second request in it makes Bun close the connection without any answer; then, and when the
   * client has gone otherwise, it rejects, and nothing should be sent upstream.
   */
  received(): Promise<void>;
  /** The answer is a stream: the connection is in use until the returned function is called. */
  streams(): () => void;
  /** The answer may be a stream whose end nobody reports: no time limit until the next request. */
  lasts(): void;
  /** The connection has become a WebSocket: it is in use until the returned function is called. */
  upgrades(): () => void;
  /** The handler has returned an answer, which is complete unless it was announced as a stream. */
  handled(): void;
}

export function createConnections(context: ConnectionsContext): Connections {
  const { descriptors, limits } = context;
  let server: Server<unknown> | undefined;
  // Of requests under way only this is kept: a table of the requests themselves costs each of them 7 % more CPU time.
  const inUse = new Set<Use>();
  /** Requests whose end only Bun knows. */
  const lasting = new Map<Request, Use>();

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
    const use: Use = {
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

interface Use {
  /** Nothing when the client has gone already. */
  readonly peer: ReturnType<Server<unknown>["requestIP"]> | undefined;
  isReceiving: boolean;
  /** `performance.now()`. */
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
    `too many connections: ${open} of ${limit} file descriptors in use, ${closedConnections} silent connections closed, ${refusedRequests} requests refused; if these are your own clients, raise the open file limit (ulimit -n)`,
  );
}

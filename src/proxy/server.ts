// The listening socket: guards every request, answers local paths from the admin app, upgrades WebSockets into
// tunnels, and forwards the rest.

import type { Server, ServerWebSocket } from "bun";
import type { Holder } from "../auth/access.ts";
import { ATTEMPTS_HEADER, HOPS_HEADER, loopProblem, parseAttempts, parseHops } from "../core/hops.ts";
import type { ListenAddress } from "../core/listen.ts";
import { RUN_PATH, type RunSeen } from "../core/run-tag.ts";
import { CodexlbError, messageOf, systemCodeOf } from "../errors.ts";
import type { Descriptors } from "../state/descriptors.ts";
import { isTurnPath } from "../upstream/paths.ts";
import type { Admission } from "./admission.ts";
import { BODY_LIMIT_BYTES } from "./bodies.ts";
import { type Connection, type ConnectionLimits, createConnections } from "./connections.ts";
import type { Incoming } from "./context.ts";
import { forward } from "./forward.ts";
import { type Guard, METHODS, ownPath, pathForLog } from "./guard.ts";
import { openTunnel } from "./open-tunnel.ts";
import type { PathGate } from "./path-gate.ts";
import { errorResponse } from "./refusal.ts";
import { createRuns } from "./runs.ts";
import type { Tunnel, TunnelContext } from "./tunnel.ts";

/** Paths that this proxy answers itself. */
export interface LocalPaths {
  handles(method: string, path: string): boolean;
  fetch(request: Request): Response | Promise<Response>;
}

export interface ServerContext extends TunnelContext {
  readonly local: LocalPaths;
  readonly guard: Guard;
  readonly gate: PathGate;
  readonly admission: Admission;
  readonly descriptors: Descriptors;
  readonly limits: ConnectionLimits;
}

export interface ProxyServer {
  readonly port: number;
  /** Takes no new connections, ends idle sockets, and waits for what is under way, until `deadline` settles. */
  stop(deadline: Promise<unknown>): Promise<void>;
}

/** Largest message of a client: the backend's own limit. Codex sends what is larger over HTTP. */
const MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024;
/**
 * What a client may leave unread of one socket before it is cut off. A tunnel makes the upstream wait long before; this
 * is for the one message that may come on top, which has 32 MiB at most.
 */
const BACKPRESSURE_LIMIT_BYTES = 64 * 1024 * 1024;

/** Starts listening. Throws `listen_failed`. */
export function startServer(listen: ListenAddress, context: ServerContext): ProxyServer {
  let requests = 0;
  /** Open ones, with what ends their connection's use and their holder's. */
  const tunnels = new Map<Tunnel, () => void>();
  const connections = createConnections(context);
  const runs = createRuns();
  const take = async (
    request: Request,
    connection: Connection,
    server: Server<Tunnel>,
  ): Promise<Response | undefined> => {
    const refused = context.guard(request);
    if (refused !== undefined) return guardResponse(refused);
    // Only now: without a host there is no URL to read.
    const url = new URL(request.url);
    const { key, run, path } = ownPath(url.pathname);
    const holder = context.admission.holderOf(request, key);
    if (run?.account !== undefined && !context.admission.readsAccounts(holder)) return errorResponse(NO_PIN);
    const pinned = run?.account === undefined ? undefined : context.pool.idOf(run.account);
    if (run !== undefined) {
      if (run.account !== undefined && pinned === undefined)
        return errorResponse(unknownAccount(run.account));
      if (path === RUN_PATH) return Response.json({ ...runs.seen(run.id), ...absenceOf(context, pinned) });
      runs.note(run.id, isTurnPath(path));
    }
    if (context.local.handles(request.method, path)) {
      const asked =
        path === url.pathname ? request : new Request(new URL(path + url.search, url).href, request);
      const response = await context.local.fetch(asked);
      // Presence and logins are streams that say nothing for minutes.
      if (response.ok && isAdminPath(path)) connection.lasts();
      return response;
    }
    const forbidden = context.gate(request.method, path);
    if (forbidden !== undefined) return errorResponse(forbidden);
    const full = connections.refusal();
    if (full !== undefined) return tooMany(full);
    const hops = parseHops(request.headers.get(HOPS_HEADER));
    const loop = loopProblem(hops, context.self());
    if (loop !== undefined)
      return errorResponse(
        new CodexlbError("loop_detected", loop, { next: "look at proxy.child_proxy_urls of these proxies" }),
      );
    const isHandshake = (request.headers.get("upgrade") ?? "").toLowerCase() === "websocket";
    if (isHandshake && !isWholeHandshake(request)) return errorResponse(INCOMPLETE);
    const client = presenceOf(context.admission, holder, request);
    const incoming: Incoming = {
      request,
      signal: client.signal,
      ended: client.leave,
      connection,
      requestId: ++requests,
      path,
      search: url.search,
      hops,
      pinnedId: pinned,
      attemptsLeft: hops.length === 0 ? undefined : parseAttempts(request.headers.get(ATTEMPTS_HEADER)),
    };
    context.events.append("request.received", {
      req_id: incoming.requestId,
      method: request.method,
      path: pathForLog(path),
    });
    if (isHandshake) await connection.received();
    if (isHandshake) return tunnelFor(incoming, holder, server);
    try {
      const response = await forward(context, incoming);
      return client.isRevoked() ? errorResponse(REMOVED) : response;
    } catch (error) {
      client.leave();
      throw error;
    }
  };
  const tunnelFor = async (
    incoming: Incoming,
    holder: Holder | undefined,
    server: Server<Tunnel>,
  ): Promise<Response | undefined> => {
    const opened = await openTunnel(context, incoming).finally(incoming.ended);
    if (opened.kind === "refused") return opened.response;
    const { tunnel } = opened;
    if (
      !incoming.signal.aborted &&
      server.upgrade(incoming.request, { data: tunnel, headers: tunnel.headers })
    ) {
      const closed = incoming.connection.upgrades();
      const leave = holder === undefined ? () => {} : context.admission.enter(holder, tunnel.revoke);
      tunnels.set(tunnel, () => {
        leave();
        closed();
      });
      return undefined;
    }
    tunnel.closedByClient();
    return errorResponse(incoming.signal.aborted ? REMOVED : INCOMPLETE);
  };

  const server = listening(listen, () =>
    Bun.serve<Tunnel>({
      hostname: listen.host,
      port: listen.port,
      idleTimeout: context.limits.keepAliveSeconds,
      development: false,
      // Outside of development Bun shares ports unless told not to, and a second proxy would steal half the clients.
      reusePort: false,
      maxRequestBodySize: BODY_LIMIT_BYTES,
      fetch: async (request, self) => {
        const connection = connections.take(request);
        try {
          return await take(request, connection, self);
        } catch (error) {
          return failure(context, request, error);
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
        open: (socket: ServerWebSocket<Tunnel>) => socket.data.opened(socket),
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
      const finished = server.stop(false);
      for (const tunnel of tunnels.keys()) tunnel.drain();
      const late = deadline.then(() => "late");
      if ((await Promise.race([finished, late])) === "late") await server.stop(true);
      connections.stop();
    },
  };
}

// --- internal ---

const REMOVED = new CodexlbError("unauthorized", "the key of this request has been removed", {
  next: "make another one with: codexlb key add NAME",
});
/** The same for every name: which accounts there are is nothing that a client's key can find out. */
const NO_PIN = new CodexlbError("unauthorized", "this key cannot choose an account", {
  next: "leave --account out, or use a key of the role parent: codexlb key add --role parent NAME",
});
const INCOMPLETE = new CodexlbError("invalid_request", "the WebSocket handshake is not complete", {
  next: "send what RFC 6455, section 4.1 asks for",
});

/** Whether there can be a WebSocket: an account is dialled only then. RFC 6455, 4.2.1. */
function isWholeHandshake({ method, headers }: Request): boolean {
  const key = headers.get("sec-websocket-key")?.trim() ?? "";
  return (
    method === "GET" &&
    /^[A-Za-z0-9+/]{22}==$/.test(key) &&
    headers.get("sec-websocket-version")?.trim() === "13"
  );
}

/** A client that is being answered: until it goes away, or what it was let in by ends. */
function presenceOf(admission: Admission, holder: Holder | undefined, { signal }: Request) {
  // Most proxies ask for no keys, and most answers then need nothing more than the request's own signal.
  if (holder === undefined) return { signal, leave: () => {}, isRevoked: () => false };
  const ending = new AbortController();
  const gone = () => ending.abort();
  let isRevoked = false;
  const leave = admission.enter(holder, () => {
    isRevoked = true;
    ending.abort();
  });
  signal.addEventListener("abort", gone, { once: true });
  return {
    signal: ending.signal,
    isRevoked: () => isRevoked,
    leave: () => {
      leave();
      signal.removeEventListener("abort", gone);
    },
  };
}

function isAdminPath(path: string): boolean {
  return path.startsWith("/admin/");
}

/** Gives the descriptor back at once. */
function tooMany(error: CodexlbError): Response {
  const response = errorResponse(error);
  response.headers.set("connection", "close");
  response.headers.set("retry-after", "1");
  return response;
}

/** Whether the account that a run is pinned to would get its next turn. No more of it is for clients to know. */
function absenceOf({ pool }: ServerContext, pinned: string | undefined): Pick<RunSeen, "absence"> {
  const account =
    pinned === undefined ? undefined : pool.explain(undefined).accounts.find(({ id }) => id === pinned);
  const tier = account?.tier;
  return tier === undefined || tier === "ready" || tier === "probing" ? {} : { absence: tier };
}

function guardResponse(refused: CodexlbError): Response {
  const response = errorResponse(refused);
  // RFC 9110, 15.5.6
  if (refused.code === "method_refused") response.headers.set("allow", [...METHODS].join(", "));
  return response;
}

function listening<T>({ host, port }: ListenAddress, start: () => T): T {
  try {
    return start();
  } catch (error) {
    const taken = systemCodeOf(error) === "EADDRINUSE";
    throw new CodexlbError(
      "listen_failed",
      `listening on ${host}:${port}: ${taken ? "the address is in use" : messageOf(error)}`,
      { next: "choose another --listen address, or stop the program that uses it", cause: error },
    );
  }
}

function unknownAccount(name: string): CodexlbError {
  return new CodexlbError(
    "account_not_found",
    `this proxy has no account ${JSON.stringify(name)} of its own`,
    {
      next: "see codexlb account list",
    },
  );
}

function failure({ deps, events }: ServerContext, request: Request, error: unknown): Response {
  if (error instanceof CodexlbError) return errorResponse(error);
  if (request.signal.aborted) return new Response(null, { status: 499 });
  const what = `handling a ${request.method} request`;
  deps.log.warn(`${what}: ${messageOf(error)}`);
  events.append("request.failed", { error: "internal" });
  const told = new CodexlbError("internal", `${what} failed inside codexlb: ${messageOf(error)}`, {
    next: "please report it",
  });
  return errorResponse(told);
}

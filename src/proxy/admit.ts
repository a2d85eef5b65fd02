// What comes before a request is one: who may ask, and for what. Everything that a request's head says is read here,
// once; what passes is an `Incoming`, for either transport.

import type { Holder } from "../auth/access.ts";
import { ATTEMPTS_HEADER, HOPS_HEADER, loopProblem, parseAttempts, parseHops } from "../core/hops.ts";
import { RUN_PATH, type RunSeen } from "../core/run-tag.ts";
import { CodexlbError } from "../errors.ts";
import { isTurnPath } from "../upstream/paths.ts";
import type { Admission } from "./admission.ts";
import type { Connection, Connections } from "./connections.ts";
import type { Incoming, ProxyContext } from "./context.ts";
import { type Guard, METHODS, ownPath, pathForLog } from "./guard.ts";
import type { PathGate } from "./path-gate.ts";
import { errorResponse } from "./refusal.ts";
import { createRuns } from "./runs.ts";

/** Paths that this proxy answers itself. */
export interface LocalPaths {
  handles(method: string, path: string): boolean;
  fetch(request: Request): Response | Promise<Response>;
}

export interface AdmitContext extends ProxyContext {
  readonly local: LocalPaths;
  readonly guard: Guard;
  readonly gate: PathGate;
  readonly admission: Admission;
}

export type Admitted =
  /** A request for an account. */
  | { readonly kind: "incoming"; readonly incoming: Incoming }
  /** It was refused, or this proxy answers it itself. */
  | { readonly kind: "answered"; readonly response: Response };

/** Decides on a request that came by `connection`. Throws only what the local paths throw. */
export type Admit = (request: Request, connection: Connection) => Promise<Admitted>;

/** `refusal`: why no more requests can be taken now. */
export function createAdmit(context: AdmitContext, refusal: Connections["refusal"]): Admit {
  const { guard, gate, admission, local, pool, events, self } = context;
  const runs = createRuns();
  let requests = 0;
  return async (request, connection) => {
    const refused = guard(request);
    if (refused !== undefined) return answered(guardResponse(refused));
    // Only now: without a host there is no URL to read.
    const url = new URL(request.url);
    const { key, run, path } = ownPath(url.pathname);
    const holder = admission.holderOf(request, key);
    if (run?.account !== undefined && !admission.readsAccounts(holder))
      return answered(errorResponse(NO_PIN));
    const pinnedId = run?.account === undefined ? undefined : pool.idOf(run.account);
    if (run !== undefined) {
      if (run.account !== undefined && pinnedId === undefined)
        return answered(errorResponse(unknownAccount(run.account)));
      if (path === RUN_PATH)
        return answered(Response.json({ ...runs.seen(run.id), ...absenceOf(pool, pinnedId) }));
      runs.note(run.id, isTurnPath(path));
    }
    if (local.handles(request.method, path)) {
      const asked =
        path === url.pathname ? request : new Request(new URL(path + url.search, url).href, request);
      const response = await local.fetch(asked);
      // Presence and logins are streams that say nothing for minutes.
      if (response.ok && path.startsWith("/admin/")) connection.lasts();
      return answered(response);
    }
    const forbidden = gate(request.method, path);
    if (forbidden !== undefined) return answered(errorResponse(forbidden));
    const full = refusal();
    if (full !== undefined) return answered(closing(errorResponse(full)));
    const hops = parseHops(request.headers.get(HOPS_HEADER));
    const loop = loopProblem(hops, self());
    if (loop !== undefined) return answered(errorResponse(loopDetected(loop)));
    const isHandshake = (request.headers.get("upgrade") ?? "").toLowerCase() === "websocket";
    if (isHandshake && !isWholeHandshake(request)) return answered(errorResponse(INCOMPLETE_HANDSHAKE));
    const requestId = ++requests;
    events.append("request.received", {
      req_id: requestId,
      method: request.method,
      path: pathForLog(path),
    });
    const incoming: Incoming = {
      request,
      ...presenceOf(admission, holder, request),
      connection,
      isHandshake,
      holder,
      requestId,
      path,
      search: url.search,
      hops,
      pinnedId,
      attemptsLeft: hops.length === 0 ? undefined : parseAttempts(request.headers.get(ATTEMPTS_HEADER)),
    };
    return { kind: "incoming", incoming };
  };
}

/** The error for a client whose key was removed while it waited. */
export const KEY_REMOVED = new CodexlbError("unauthorized", "the key of this request has been removed", {
  next: "make a new key: codexlb key add NAME",
});

/** The error for a WebSocket handshake that does not lead to a WebSocket. */
export const INCOMPLETE_HANDSHAKE = new CodexlbError(
  "invalid_request",
  "the WebSocket handshake is incomplete",
  { next: "send every header that RFC 6455, section 4.1 requires" },
);

// --- internal ---

/** The same for every name: which accounts there are is nothing that a client's key can find out. */
const NO_PIN = new CodexlbError("unauthorized", "this key cannot choose an account", {
  next: "omit --account, or use a key with the parent role: codexlb key add --role parent NAME",
});

function answered(response: Response): Admitted {
  return { kind: "answered", response };
}

function guardResponse(refused: CodexlbError): Response {
  const response = errorResponse(refused);
  // RFC 9110, 15.5.6
  if (refused.code === "method_refused") response.headers.set("allow", [...METHODS].join(", "));
  return response;
}

/** Gives the descriptor back at once. */
function closing(response: Response): Response {
  response.headers.set("connection", "close");
  return response;
}

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
function presenceOf(
  admission: Admission,
  holder: Holder | undefined,
  { signal }: Request,
): Pick<Incoming, "signal" | "ended" | "isRevoked"> {
  // Most proxies ask for no keys, and most answers then need nothing more than the request's own signal.
  if (holder === undefined) return { signal, ended: () => {}, isRevoked: () => false };
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
    ended: () => {
      leave();
      signal.removeEventListener("abort", gone);
    },
  };
}

/** Whether the account that a run is pinned to would get its next turn. No more of it is for clients to know. */
function absenceOf(pool: ProxyContext["pool"], pinnedId: string | undefined): Pick<RunSeen, "absence"> {
  const account =
    pinnedId === undefined ? undefined : pool.explain(undefined).accounts.find(({ id }) => id === pinnedId);
  const tier = account?.tier;
  return tier === undefined || tier === "ready" || tier === "probing" ? {} : { absence: tier };
}

function loopDetected(loop: string): CodexlbError {
  return new CodexlbError("loop_detected", loop, { next: "check proxy.child_proxy_urls on these proxies" });
}

function unknownAccount(name: string): CodexlbError {
  return new CodexlbError(
    "account_not_found",
    `this proxy has no account ${JSON.stringify(name)} of its own`,
    { next: "see codexlb account list" },
  );
}

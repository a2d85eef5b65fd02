// Decides whether a request is let in: who may send it, and for which path. The whole request head is read here, once.
// A request that passes becomes an `IncomingRequest`, which both transports use.

import { type Advise, advisedElsewhere } from "../advice.ts";
import type { Holder } from "../auth/access.ts";
import { ATTEMPTS_HEADER, HOPS_HEADER, loopProblem, parseAttempts, parseHops } from "../core/hops.ts";
import { RUN_PATH, type RunSeen, type RunTag, type WaitingSummary } from "../core/run-tag.ts";
import { CodexlbError } from "../errors.ts";
import { isTurnPath } from "../upstream/paths.ts";
import type { Admission } from "./admission.ts";
import type { Connection, Connections } from "./connections.ts";
import { adviceFor, type IncomingRequest, type ProxyContext } from "./context.ts";
import { type Guard, isDashboardPath, METHODS, ownPath, pathForLog } from "./guard.ts";
import { endedKeyRefusal } from "./key-limits.ts";
import type { PathGate } from "./path-gate.ts";
import { errorResponse, refusalResponse } from "./refusal.ts";
import { headProblem, targetOf } from "./request-head.ts";
import { runOutage } from "./run-outage.ts";
import { createRuns } from "./runs.ts";
import { sessionFromHeaders } from "./session.ts";

/** Paths that this proxy answers itself. */
export interface LocalPaths {
  handles(method: string, path: string): boolean;
  fetch(request: Request): Response | Promise<Response>;
}

export interface AdmitContext extends ProxyContext {
  readonly local: LocalPaths;
  /** Handles the paths of the dashboard. */
  readonly dashboard: Pick<LocalPaths, "fetch">;
  readonly guard: Guard;
  readonly gate: PathGate;
  readonly admission: Admission;
  /** Called when a run of Codex reports that it bypassed the proxy. */
  readonly noteBypass: () => void;
}

export type AdmitResult =
  /** Let in, to be served by an account. */
  | { readonly kind: "incoming"; readonly incoming: IncomingRequest }
  /** Refused, or answered by this proxy itself. */
  | { readonly kind: "answered"; readonly response: Response };

/** Decides on a request that arrived on `connection`. Throws only what the local paths throw. */
export type Admit = (request: Request, connection: Connection) => Promise<AdmitResult>;

/** `refusal` returns why the proxy cannot take more requests now, if that is so. */
export function createAdmit(context: AdmitContext, refusal: Connections["refusal"]): Admit {
  const { guard, gate, admission, local, dashboard, pool, events, self, noteBypass, counts, waiting } =
    context;
  const runs = createRuns();
  const refuse = (error: CodexlbError, response = errorResponse(error)): AdmitResult => {
    counts.refused(error.code);
    return answered(response);
  };
  const waitingOf = (runId: string, readsAccounts: boolean): WaitingSummary => {
    const { account, ...summary } = waiting.summary(runId);
    return readsAccounts ? { ...summary, account } : summary;
  };
  let requests = 0;
  return async (request, connection) => {
    const target = targetOf(request.url);
    const own = ownPath(target.path);
    const refused = guard(request, own);
    if (refused !== undefined) return refuse(refused, guardResponse(refused, request));
    const tooLarge = headProblem(request);
    if (tooLarge !== undefined) return refuse(tooLarge);
    if (isDashboardPath(own)) {
      const response = await dashboard.fetch(request);
      if (isEventStream(response)) connection.lasts();
      return answered(response);
    }
    const { key, run, path } = own;
    const holder = admission.holderOf(request, key);
    const choosing = run?.account !== undefined ? "--account" : run?.tags !== undefined ? "--tag" : undefined;
    if (choosing !== undefined && !admission.readsAccounts(holder)) return refuse(noChoice(choosing));
    const tags = [run?.tags, holder?.tags].filter((demand) => demand !== undefined);
    const pinnedId = run?.account === undefined ? undefined : pool.idOf(run.account);
    if (run !== undefined) {
      if (run.account !== undefined && pinnedId === undefined)
        return refuse(unknownAccount(run.account, adviceFor({ holder })));
      if (path === RUN_PATH) {
        if (request.method === "POST") noteBypass();
        // Clients must not learn more about an account than this.
        const absence = pinnedId === undefined ? undefined : pool.absence(pinnedId);
        const { others, ...seen } = runs.seen(run.id);
        const served = pinnedId === undefined ? {} : { others };
        const tagged = run.tags === undefined ? {} : { tagged: pool.taggedCount(tags) };
        const readsAccounts = admission.readsAccounts(holder);
        const outage = runOutage(pool, tags, readsAccounts);
        const mayWait = waiting.mayWait({ hops: [], waitMs: waitMsOf(run) });
        const waits = mayWait ? { waiting: waitingOf(run.id, readsAccounts) } : {};
        return answered(
          Response.json({ ...seen, absence, ...served, ...tagged, outage, ...waits } satisfies RunSeen),
        );
      }
      runs.note(run.id, isTurnPath(path), sessionFromHeaders(request.headers));
    }
    if (local.handles(request.method, path)) {
      const asked =
        path === target.path
          ? request
          : new Request(new URL(path + target.search, request.url).href, request);
      const response = await local.fetch(asked);
      // Presence and logins are streams that can be silent for minutes.
      if (response.ok && path.startsWith("/admin/")) connection.lasts();
      return answered(response);
    }
    const forbidden = gate(request.method, path);
    if (forbidden !== undefined) return refuse(forbidden);
    const full = refusal();
    if (full !== undefined) return refuse(full, closing(errorResponse(full)));
    const hops = parseHops(request.headers.get(HOPS_HEADER));
    const loop = loopProblem(hops, self());
    if (loop !== undefined) return refuse(loopDetected(loop));
    const isHandshake = (request.headers.get("upgrade") ?? "").toLowerCase() === "websocket";
    if (isHandshake && !isWholeHandshake(request)) return refuse(INCOMPLETE_HANDSHAKE);
    const requestId = ++requests;
    events.append("request.received", {
      method: request.method,
      path: pathForLog(path),
      req_id: requestId,
    });
    const incoming: IncomingRequest = {
      request,
      ...presenceOf(admission, holder, request),
      connection,
      isHandshake,
      holder,
      requestId,
      path,
      search: target.search,
      hops,
      runId: run?.id,
      waitMs: waitMsOf(run),
      pinnedId,
      tags,
      noteTurn: ({ id, label }) => {
        if (run !== undefined && pinnedId !== undefined && id !== pinnedId)
          runs.noteOther(run.id, label, pool.absence(pinnedId));
      },
      attemptsLeft: hops.length === 0 ? undefined : parseAttempts(request.headers.get(ATTEMPTS_HEADER)),
    };
    return { kind: "incoming", incoming };
  };
}

/** The error for a client whose key was removed while its request was waiting. */
export function keyRemoved(): CodexlbError {
  return new CodexlbError("unauthorized", "the key of this request has been removed", {
    next: `create a new key with: ${advisedElsewhere("key add", "NAME")}`,
  });
}

/** The error for a handshake that cannot become a WebSocket. */
export const INCOMPLETE_HANDSHAKE = new CodexlbError(
  "invalid_request",
  "the WebSocket handshake is incomplete",
  { next: "send every header that RFC 6455, section 4.1 requires" },
);

// --- internal ---

/** The same error for every name, so that a client key cannot be used to find out which accounts exist. */
function noChoice(flag: string): CodexlbError {
  return new CodexlbError("unauthorized", "this key cannot choose an account", {
    next: `omit ${flag}, or use a key with the parent role, created on the proxy's machine with: ${advisedElsewhere("key add", "--role", "parent", "NAME")}`,
  });
}

/** How long the run lets its turns wait, ms. */
function waitMsOf(run: RunTag | undefined): number {
  return (run?.waitSeconds ?? 0) * 1000;
}

function isEventStream({ headers }: Response): boolean {
  return headers.get("content-type")?.startsWith("text/event-stream") === true;
}

function answered(response: Response): AdmitResult {
  return { kind: "answered", response };
}

function guardResponse(refused: CodexlbError, request: Request): Response {
  if (refused.code === "key_expired")
    return refusalResponse(
      endedKeyRefusal(refused, { request, hops: parseHops(request.headers.get(HOPS_HEADER)) }),
    );
  const response = errorResponse(refused);
  // Required with a 405 (RFC 9110, 15.5.6).
  if (refused.code === "method_refused") response.headers.set("allow", [...METHODS].join(", "));
  return response;
}

/** Closes the connection after the response, which frees its descriptor immediately. */
function closing(response: Response): Response {
  response.headers.set("connection", "close");
  return response;
}

/** Whether the handshake is valid (RFC 6455, 4.2.1). Checked first, so that no account is dialled in vain. */
function isWholeHandshake({ method, headers }: Request): boolean {
  const key = headers.get("sec-websocket-key")?.trim() ?? "";
  return (
    method === "GET" &&
    /^[A-Za-z0-9+/]{22}==$/.test(key) &&
    headers.get("sec-websocket-version")?.trim() === "13"
  );
}

/** The client's presence ends when it disconnects, or when the grant that let it in ends. */
function presenceOf(
  admission: Admission,
  holder: Holder | undefined,
  { signal }: Request,
): Pick<IncomingRequest, "signal" | "ended" | "isRevoked"> {
  // Most proxies require no keys; the request's own signal is then all that is needed.
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

function loopDetected(loop: string): CodexlbError {
  return new CodexlbError("loop_detected", loop, { next: "check proxy.child_proxy_urls on these proxies" });
}

function unknownAccount(name: string, advise: Advise): CodexlbError {
  return new CodexlbError("account_not_found", `this proxy has no account ${JSON.stringify(name)}`, {
    next: `list the accounts with: ${advise("account list")}`,
  });
}

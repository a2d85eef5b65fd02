// One send of one HTTP request to one upstream, up to the point where its reply can be judged.

import { readBounded } from "../bounded-fetch.ts";
import { ATTEMPTS_HEADER, parseAttempts } from "../core/hops.ts";
import { mergeQuota, type QuotaEvidence, UNKNOWN_QUOTA } from "../core/quota.ts";
import { quotaFromHeaders } from "../core/quota-wire.ts";
import { failureOfReply, type Scope, type Verdict } from "../core/verdict.ts";
import { CodexlbError, systemCodeOf } from "../errors.ts";
import { egressProblem, proxyRefusal } from "../network/connect-problem.ts";
import { fetchOptions } from "../network/egress.ts";
import type { Lease } from "../upstream/leases.ts";
import { isStreamedTurnPath, isTurnPath } from "../upstream/paths.ts";
import type { Upstream } from "../upstream/upstream.ts";
import type { Ready, Sent } from "./attempts.ts";
import { bodyOf, decodeBody, type RequestBody, sizeOf } from "./bodies.ts";
import type { Incoming, ProxyContext } from "./context.ts";
import { type HeldStream, hold } from "./hold.ts";
import { portableRequest, TURN_STATE } from "./portable.ts";
import { idleWhy, watchHead } from "./timeouts.ts";

/** An upstream's answer, as far as it was read to judge it. */
export interface HttpReply {
  readonly response: Response;
  readonly body:
    | { readonly kind: "whole"; readonly bytes: Uint8Array<ArrayBuffer> }
    | { readonly kind: "stream" }
    | { readonly kind: "held"; readonly stream: HeldStream };
  /** Ends the upstream's request. */
  readonly abort: () => void;
}

/** Error answers are read whole to be judged; the backend's are some kB, a challenge page some tens. */
const ERROR_BODY_LIMIT_BYTES = 1024 * 1024;

const SMALL_BODY_BYTES = 64 * 1024;

const OUT_OF_DESCRIPTORS: ReadonlySet<string> = new Set(["EMFILE", "ENFILE"]);

function outOfDescriptors(): CodexlbError {
  return new CodexlbError("too_many_connections", "connecting to the backend: too many open files", {
    next: "try again in a moment; if this persists, raise the proxy's open file limit (ulimit -n)",
    retryAfterSeconds: 1,
  });
}

/** What is sent, and to whom. */
export interface Sending {
  readonly ready: Ready;
  readonly lease: Lease;
  readonly body: RequestBody;
  /** May be sent twice. */
  readonly replayable: boolean;
  /** Another upstream had it before. */
  readonly retried: boolean;
}

/** Sends one request to one upstream; when its input holds another account's ciphertext, once more without it. */
export async function sendHttp(
  context: ProxyContext,
  incoming: Incoming,
  sending: Sending,
): Promise<Sent<HttpReply>> {
  const { headers } = sending.ready;
  // Turn state names the server that began the turn: of no use to any but the first account tried.
  if (sending.retried) headers.delete(TURN_STATE);
  const sent = await sendFresh(context, incoming, sending);
  if (sent.kind !== "reply" || sent.verdict.kind !== "foreign_ciphertext") return sent;
  const text = await decodeBody(sending.body.content, incoming.request.headers.get("content-encoding"));
  const portable = text === undefined ? undefined : portableRequest(text);
  if (portable === undefined) return sent;
  sent.reply.abort();
  headers.delete("content-encoding");
  headers.delete(TURN_STATE);
  return sendFresh(context, incoming, { ...sending, body: bodyOf(new TextEncoder().encode(portable)) });
}

// --- internal ---

type Fetched =
  | { readonly kind: "fetched"; readonly response: Response; readonly abort: () => void }
  /** A kept-alive connection that the upstream closed just then, perhaps. */
  | { readonly kind: "reset" }
  | Exclude<Sent<HttpReply>, { kind: "reply" }>;

/** A reset before any answer may be a stale connection's: what may be sent twice is sent once more, on a fresh one. */
async function sendFresh(
  context: ProxyContext,
  incoming: Incoming,
  sending: Sending,
): Promise<Sent<HttpReply>> {
  const first = await fetchOnce(context, incoming, sending);
  const fetched =
    first.kind === "reset" && sending.replayable ? await fetchOnce(context, incoming, sending) : first;
  switch (fetched.kind) {
    case "fetched":
      return judgeReply(context, incoming, sending.lease, fetched.response, fetched.abort);
    case "reset":
      return { kind: "broken", why: "ECONNRESET" };
    default:
      return fetched;
  }
}

async function fetchOnce(
  { deps, settings }: ProxyContext,
  { request, signal, path }: Incoming,
  { ready, lease, body }: Sending,
): Promise<Fetched> {
  const ending = new AbortController();
  const abort = () => ending.abort();
  if (signal.aborted) return { kind: "aborted" };
  signal.addEventListener("abort", abort, { once: true });
  const { connectMs, headMs } = settings().timeouts;
  let expiredWhy: string | undefined;
  // An answer in one piece (a compaction, a picture) may take minutes to begin.
  const longestMs = isStreamedTurnPath(path) ? headMs : Number.POSITIVE_INFINITY;
  const watched = { connectMs, headMs: () => lease.upstream.patienceMs(longestMs) };
  const arrived = watchHead(deps.clock, ready.egress.proxy ?? ready.url, watched, (why) => {
    expiredWhy = why;
    abort();
  });
  try {
    const response = await fetch(ready.url, {
      ...fetchOptions(ready.egress),
      method: request.method,
      headers: ready.headers,
      ...(sizeOf(body.content) === 0 ? {} : { body: body.content }),
      redirect: "manual",
      decompress: false,
      timeout: false,
      signal: ending.signal,
    });
    const refusal = proxyRefusal(response.status, ready.egress);
    if (refusal === undefined) return { kind: "fetched", response, abort };
    abort();
    return { kind: "broken", why: refusal };
  } catch (error) {
    if (signal.aborted) return { kind: "aborted" };
    if (expiredWhy !== undefined) return { kind: "broken", why: expiredWhy };
    const code = systemCodeOf(error) ?? String(error);
    // The proxy itself has run out of descriptors. No account is to blame, and another one would fail the same way.
    if (OUT_OF_DESCRIPTORS.has(code)) throw outOfDescriptors();
    if (code === "ECONNRESET") return { kind: "reset" };
    return { kind: "broken", why: egressProblem(error, ready.url, ready.egress) ?? code };
  } finally {
    arrived();
  }
}

async function judgeReply(
  context: ProxyContext,
  { signal, path }: Incoming,
  lease: Lease,
  response: Response,
  abort: () => void,
): Promise<Sent<HttpReply>> {
  const { status } = response;
  const { upstream } = lease;
  const scope: Scope = isTurnPath(path) ? "turn" : "other";
  const evidence = quotaFromHeaders(response.headers, context.deps.clock.now());
  if (isStreamedTurnPath(path) && status < 400 && isReadableEventStream(response))
    return openTurn(context, signal, upstream, response, evidence, abort);
  const matters = status >= 400 && (scope === "turn" || upstream.failsOver.has(status) || status >= 500);
  const calm: Verdict = status >= 400 ? { kind: "client" } : { kind: "ok" };
  if (!matters && !isSmall(response))
    return { kind: "reply", verdict: calm, evidence, reply: { response, body: { kind: "stream" }, abort } };
  const bytes = await readWhole(context, response, abort);
  if (typeof bytes === "string") return signal.aborted ? { kind: "aborted" } : { kind: "broken", why: bytes };
  const verdict = matters ? await verdictOfReply(context, upstream, response, bytes, scope) : calm;
  const attempts = parseAttempts(response.headers.get(ATTEMPTS_HEADER));
  const reply: HttpReply = { response, body: { kind: "whole", bytes }, abort };
  return { kind: "reply", verdict, evidence, attempts, reply };
}

async function openTurn(
  { deps, settings }: ProxyContext,
  signal: AbortSignal,
  upstream: Upstream,
  response: Response,
  told: QuotaEvidence | undefined,
  abort: () => void,
): Promise<Sent<HttpReply>> {
  if (response.body === null) return { kind: "broken", why: "the answer has no body" };
  const { timeouts } = settings();
  const stream = await hold(response.body, deps.clock, { ms: timeouts.idleMs, why: idleWhy(timeouts) });
  if (signal.aborted) {
    abort();
    return { kind: "aborted" };
  }
  const reply: HttpReply = { response, body: { kind: "held", stream }, abort };
  const evidence = stream.evidence.reduce((all, event) => mergeQuota(all ?? UNKNOWN_QUOTA, event), told);
  switch (stream.end.kind) {
    case "commit":
      return {
        kind: "reply",
        verdict: { kind: stream.end.by === "output" ? "ok" : "open" },
        evidence,
        reply,
      };
    case "broken":
      abort();
      return { kind: "broken", why: stream.end.why };
    case "failed":
      return { kind: "reply", verdict: upstream.judge(stream.end.failure, "turn"), evidence, reply };
    default:
      return stream.end satisfies never;
  }
}

async function verdictOfReply(
  { deps }: ProxyContext,
  upstream: Upstream,
  response: Response,
  bytes: Uint8Array<ArrayBuffer>,
  scope: Scope,
): Promise<Verdict> {
  const text = (await decodeBody(bytes, response.headers.get("content-encoding"))) ?? "";
  return upstream.judge(failureOfReply(response.status, response.headers, text, deps.clock.now()), scope);
}

/** A body that is known to be small is cheaper read at once than pumped, and one that breaks off can be asked for again. */
function isSmall(response: Response): boolean {
  const length = response.headers.get("content-length");
  return response.body !== null && length !== null && Number(length) <= SMALL_BODY_BYTES;
}

/** The whole body, or why it could not be read. */
async function readWhole(
  { deps, settings }: ProxyContext,
  response: Response,
  abort: () => void,
): Promise<Uint8Array<ArrayBuffer> | string> {
  const cancelTimer = deps.clock.after(settings().timeouts.idleMs, abort);
  try {
    const { bytes, isWhole } = await readBounded(response, ERROR_BODY_LIMIT_BYTES);
    return isWhole ? bytes : `the error response is larger than ${ERROR_BODY_LIMIT_BYTES / 1024} KiB`;
  } catch {
    return "the connection closed in the middle of the response";
  } finally {
    cancelTimer();
  }
}

function isReadableEventStream(response: Response): boolean {
  const encoding = response.headers.get("content-encoding");
  return (
    (response.headers.get("content-type") ?? "").includes("text/event-stream") &&
    (encoding === null || encoding === "identity")
  );
}

// Sends one HTTP request to one upstream, and reads the reply until it can be judged.

import { readBounded } from "../../bounded-fetch.ts";
import { type Failure, failureOfReply } from "../../core/failure.ts";
import { ATTEMPTS_HEADER, parseAttempts } from "../../core/hops.ts";
import { limitsOfHeaders } from "../../core/recent-limits.ts";
import type { Scope, Verdict } from "../../core/verdict.ts";
import { CodexlbError, systemCodeOf } from "../../errors.ts";
import { egressProblem, proxyRefusal } from "../../network/connect-problem.ts";
import { fetchOptions } from "../../network/egress.ts";
import type { Lease } from "../../upstream/leases.ts";
import { isStreamedTurnPath, isTurnPath } from "../../upstream/paths.ts";
import type { PreparedRequest } from "../../upstream/upstream.ts";
import { bodyOf, decodeBody, type RequestBody, sizeOf } from "../bodies.ts";
import type { ProxyContext } from "../context.ts";
import type { Exchange } from "../exchange.ts";
import { watchHead } from "../timeouts.ts";
import { portableRequest, TURN_STATE } from "../turn/portable.ts";
import { createTurnReader } from "../turn/turn-reader.ts";
import type { SendResult } from "../use-upstream.ts";
import { openTurn, type StreamedTurn } from "./open-turn.ts";

/** An upstream's response, and the part of its body that was read to judge it. */
export interface HttpReply {
  readonly response: Response;
  readonly body:
    | { readonly kind: "whole"; readonly bytes: Uint8Array<ArrayBuffer> }
    | { readonly kind: "stream" }
    | { readonly kind: "turn"; readonly turn: StreamedTurn };
  /** Ends the upstream's request. */
  readonly abort: () => void;
}

/** The request, and the upstream to send it to. */
export interface SendOptions {
  readonly prepared: PreparedRequest;
  readonly lease: Lease;
  readonly body: RequestBody;
}

/**
 * Sends one request to one upstream. If the upstream refuses another account's ciphertext in the input, sends the
 * request again without the ciphertext.
 */
export async function sendHttp(
  context: ProxyContext,
  exchange: Exchange,
  sending: SendOptions,
): Promise<SendResult<HttpReply>> {
  const { headers, plainBody } = sending.prepared;
  // The turn state names the server that began the turn, which only the first account can use.
  if (exchange.hasMoved()) headers.delete(TURN_STATE);
  const sent = await sendFresh(context, exchange, plainBody === true ? await decoded(sending) : sending);
  if (sent.kind !== "reply" || sent.verdict.kind !== "foreign_ciphertext") return sent;
  const encoding = exchange.incoming.request.headers.get("content-encoding");
  const text = await decodeBody(sending.body.content, encoding);
  const portable = text === undefined ? undefined : portableRequest(text);
  if (portable === undefined) return sent;
  sent.reply.abort();
  headers.delete("content-encoding");
  headers.delete(TURN_STATE);
  return sendFresh(context, exchange, { ...sending, body: bodyOf(new TextEncoder().encode(portable)) });
}

// --- internal ---

/** `sending` with its body decompressed. A body that cannot be decoded stays unchanged. */
async function decoded(sending: SendOptions): Promise<SendOptions> {
  const { headers } = sending.prepared;
  const encoding = headers.get("content-encoding");
  const text = encoding === null ? undefined : await decodeBody(sending.body.content, encoding);
  if (text === undefined) return sending;
  headers.delete("content-encoding");
  return { ...sending, body: bodyOf(new TextEncoder().encode(text)) };
}

/**
 * The longest response that is read whole to judge it. The backend's error responses have a few kB, a challenge page some
 * tens of kB.
 */
const LONGEST_WHOLE_BYTES = 1024 * 1024;

const SMALL_BODY_BYTES = 64 * 1024;

const OUT_OF_DESCRIPTORS: ReadonlySet<string> = new Set(["EMFILE", "ENFILE"]);

function outOfDescriptors(): CodexlbError {
  return new CodexlbError("too_many_connections", "connecting to the backend: too many open files", {
    next: "try again in a moment; if this persists, raise the proxy's open file limit (ulimit -n)",
    retryAfterSeconds: 1,
  });
}

type FetchResult =
  | { readonly kind: "fetched"; readonly response: Response; readonly abort: () => void }
  /** The upstream may have closed a kept-alive connection at this moment. */
  | { readonly kind: "reset" }
  | Exclude<SendResult<HttpReply>, { kind: "reply" }>;

/** Sends the request. Repeats it once after a reset without a response, which a stale connection may have caused. */
async function sendFresh(
  context: ProxyContext,
  exchange: Exchange,
  sending: SendOptions,
): Promise<SendResult<HttpReply>> {
  const { isReplayable } = exchange;
  const first = await fetchOnce(context, exchange, sending);
  const fetched =
    first.kind === "reset" && isReplayable ? await fetchOnce(context, exchange, sending) : first;
  switch (fetched.kind) {
    case "fetched":
      return judgeReply(context, exchange, sending.lease, fetched.response, fetched.abort);
    case "reset":
      return { kind: "broken", why: "ECONNRESET" };
    default:
      return fetched;
  }
}

async function fetchOnce(
  { deps, settings }: ProxyContext,
  { incoming: { request, signal, path }, stateSearch }: Exchange,
  { prepared, lease, body }: SendOptions,
): Promise<FetchResult> {
  const ending = new AbortController();
  const abort = () => ending.abort();
  if (signal.aborted) return { kind: "aborted" };
  signal.addEventListener("abort", abort, { once: true });
  const { connectMs, headMs } = settings().timeouts;
  let expiredWhy: string | undefined;
  // A response in one piece (a compaction, a picture) may take minutes to begin.
  const longestMs = isStreamedTurnPath(path)
    ? headMs
    : (stateSearch?.longestAskMs ?? Number.POSITIVE_INFINITY);
  const watched = { connectMs, headMs: () => lease.upstream.patienceMs(longestMs) };
  const arrived = watchHead(deps.clock, prepared.egress.proxy ?? prepared.url, watched, (why) => {
    expiredWhy = why;
    abort();
  });
  try {
    const response = await fetch(prepared.url, {
      ...fetchOptions(prepared.egress),
      method: request.method,
      headers: prepared.headers,
      ...(sizeOf(body.content) === 0 ? {} : { body: body.content }),
      redirect: "manual",
      decompress: false,
      timeout: false,
      signal: ending.signal,
    });
    const refusal = proxyRefusal(response.status, prepared.egress);
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
    return { kind: "broken", why: egressProblem(error, prepared.url, prepared.egress) };
  } finally {
    arrived();
  }
}

async function judgeReply(
  context: ProxyContext,
  exchange: Exchange,
  lease: Lease,
  response: Response,
  abort: () => void,
): Promise<SendResult<HttpReply>> {
  const { status } = response;
  const { upstream } = lease;
  const { signal, path } = exchange.incoming;
  const scope: Scope = exchange.stateSearch !== undefined ? "state" : isTurnPath(path) ? "turn" : "other";
  if (isStreamedTurnPath(path) && status < 400 && isReadableEventStream(response))
    return turnReply(context, exchange, lease, response, abort);
  const evidence = limitsOfHeaders(response.headers, context.deps.clock.now());
  const concerns = scope === "turn" || scope === "state" || upstream.failsOver.has(status) || status >= 500;
  const matters = status >= 400 && concerns;
  const calm: Verdict = status >= 400 ? { kind: "client" } : { kind: "ok" };
  const length = lengthOf(response);
  // The response to a request that creates a file names the file.
  const namesFile = exchange.stateSearch?.createsFile === true && (length ?? 0) <= LONGEST_WHOLE_BYTES;
  // Reading a small body whole is cheaper than streaming it, and allows a retry if it breaks.
  const isSmall = length !== undefined && length <= SMALL_BODY_BYTES;
  if (!hasBody(exchange.incoming.request.method, status) || !(matters || namesFile || isSmall))
    return { kind: "reply", verdict: calm, evidence, reply: { response, body: { kind: "stream" }, abort } };
  const bytes = await readWhole(context, response, abort);
  if (typeof bytes === "string") return signal.aborted ? { kind: "aborted" } : { kind: "broken", why: bytes };
  const failure = matters ? await failureIn(context, response, bytes) : undefined;
  if (failure !== undefined) exchange.recorder?.failure(failure);
  const verdict = failure === undefined ? calm : upstream.judge(failure, scope);
  const attempts = parseAttempts(response.headers.get(ATTEMPTS_HEADER));
  const reply: HttpReply = { response, body: { kind: "whole", bytes }, abort };
  return { kind: "reply", verdict, evidence, attempts, reply };
}

async function turnReply(
  context: ProxyContext,
  exchange: Exchange,
  lease: Lease,
  response: Response,
  abort: () => void,
): Promise<SendResult<HttpReply>> {
  if (response.body === null) return { kind: "broken", why: "the response has no body" };
  const reader = createTurnReader(context, exchange, lease);
  const limits = limitsOfHeaders(response.headers, context.deps.clock.now());
  // Before the events, which are newer.
  if (limits !== undefined) lease.learn(limits);
  const opened = await openTurn(response.body, reader, context.deps.clock, context.settings().timeouts);
  if (exchange.incoming.signal.aborted) {
    abort();
    return { kind: "aborted" };
  }
  switch (opened.kind) {
    case "begun":
    case "failed": {
      const verdict: Verdict = opened.kind === "failed" ? opened.verdict : { kind: "open" };
      const reply: HttpReply = { response, body: { kind: "turn", turn: opened.turn }, abort };
      return { kind: "reply", verdict, evidence: undefined, reply };
    }
    case "broken":
      abort();
      return opened;
    default:
      return opened satisfies never;
  }
}

async function failureIn(
  { deps }: ProxyContext,
  response: Response,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<Failure> {
  const text = (await decodeBody(bytes, response.headers.get("content-encoding"))) ?? "";
  return failureOfReply(response.status, response.headers, text, deps.clock.now());
}

/** The length of the body in bytes; undefined if the response does not say it. */
function lengthOf({ headers }: Response): number | undefined {
  const length = headers.get("content-length");
  return length === null ? undefined : Number(length);
}

/** Whether a response has a body (RFC 9110, 6.4.1). `response.body` would make Bun create a stream. */
function hasBody(method: string, status: number): boolean {
  return method !== "HEAD" && status !== 204 && status !== 304;
}

/** The whole body, or why it could not be read. */
async function readWhole(
  { deps, settings }: ProxyContext,
  response: Response,
  abort: () => void,
): Promise<Uint8Array<ArrayBuffer> | string> {
  const cancelTimer = deps.clock.after(settings().timeouts.idleMs, abort);
  try {
    const { bytes, isWhole } = await readBounded(response, LONGEST_WHOLE_BYTES);
    return isWhole ? bytes : `the response is larger than ${LONGEST_WHOLE_BYTES / 1024} KiB`;
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

// A refusal in the forms that clients read: a response over HTTP, an event over WebSocket. Never a 401, because Codex
// would then try to renew a token that belongs to the pool.

import { z } from "zod";
import { headerValue, shortText } from "../core/bounds.ts";
import { ACTIVE_LIMIT, type Failure } from "../core/failure.ts";
import { ATTEMPTS_HEADER } from "../core/hops.ts";
import { parseJson } from "../core/json.ts";
import { REACHED_TYPE } from "../core/quota-wire.ts";
import { eventType } from "../core/turn.ts";
import { type CodexlbError, dataPlaneErrorBody, fullMessageOf } from "../errors.ts";
import type { ClientKind } from "./context.ts";

/** A refusal, independent of the transport. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  /** Seconds to wait, if waiting helps. */
  readonly retryAfterSeconds: number | undefined;
  /** JSON: `{"error": {…}}`, or only the message if Codex shows the body. */
  readonly body: string;
  /** The exhausted limit, unless it is the main one. */
  readonly limitId?: string | undefined;
  /** Why the workspace allows no more, in the backend's words. Codex explains it to its user. */
  readonly reachedType?: string | undefined;
  /** What Codex says about a usage limit, in place of an advertisement. */
  readonly notice?: string | undefined;
}

/** A refusal as an HTTP response. */
export function refusalResponse(refusal: Refusal): Response {
  const type = refusal.body.startsWith("{") ? "application/json" : "text/plain; charset=utf-8";
  const headers = new Headers({ "content-type": type });
  if (refusal.retryAfterSeconds !== undefined) headers.set("retry-after", String(refusal.retryAfterSeconds));
  for (const [name, value] of Object.entries(limitHeaders(refusal))) headers.set(name, value);
  return new Response(refusal.body, { status: refusal.status, headers });
}

/**
 * A refusal as the error event of a WebSocket turn, with every field of its body. A body that is not a JSON object
 * becomes the error's message. Over WebSocket Codex waits only after a 429 with a duration, so every refusal after
 * which waiting helps becomes one.
 */
export function refusalEvent(refusal: Refusal): string {
  const { status, body, retryAfterSeconds: seconds } = refusal;
  const json = JsonObject.safeParse(parseJson(body));
  const fields = json.success ? json.data : messageFields(body);
  // First for log readers, and again last so that no field of the body can override them.
  const kind = { type: "error", status: seconds === undefined ? status : 429 };
  if (seconds === undefined) {
    const headers = limitHeaders(refusal);
    const named = Object.keys(headers).length === 0 ? {} : { headers };
    return JSON.stringify({ ...kind, ...fields, ...kind, ...named });
  }
  const error = JsonObject.safeParse(fields.error).data;
  return JSON.stringify({
    ...kind,
    ...fields,
    ...kind,
    error: { ...error, type: "rate_limit_exceeded", code: "rate_limit_exceeded" },
    headers: { "retry-after": String(seconds) },
  });
}

/** `event` with the number of attempts for the proxy in front. */
export function eventWithAttempts(event: string, attempts: number): string {
  const parsed = z.looseObject({ headers: z.looseObject({}).optional() }).safeParse(parseJson(event));
  if (!parsed.success || attempts === 0) return event;
  const headers = { ...parsed.data.headers, [ATTEMPTS_HEADER]: String(attempts) };
  return JSON.stringify({ ...parsed.data, headers });
}

/**
 * A failed turn's event for a client on a WebSocket. Codex ignores an error without a status and would wait for
 * minutes, so such an error gets status 500, after which Codex tries again.
 */
export function failureEvent(message: string, { status }: Pick<Failure, "status">): string {
  if (status !== undefined || eventType(message) !== "error") return message;
  return message.replace(/^\s*\{/, '{"status":500,');
}

/** One of our own errors as a refusal. */
export function refusalOfError(error: CodexlbError): Refusal {
  const { status, code, retryAfterSeconds } = error;
  return { status, code, retryAfterSeconds, body: JSON.stringify(dataPlaneErrorBody(error)) };
}

/**
 * A refusal that a retry does not change, with status 400: Codex then ends the turn immediately and shows the whole body,
 * so it gets only the message. After a 503 it would repeat the turn for half a minute. A proxy in front gets the error's
 * own status, because it returns a 400 to its client without trying another upstream.
 */
export function refuseForGood(client: ClientKind, error: CodexlbError): Refusal {
  const refusal = refusalOfError(error);
  if (client === "proxy") return refusal;
  return { ...refusal, status: 400, ...(client === "codex" ? { body: fullMessageOf(error) } : {}) };
}

/** The response for one of our own errors. */
export function errorResponse(error: CodexlbError): Response {
  const { retryAfterSeconds: seconds, status } = error;
  const headers = seconds === undefined ? {} : { "retry-after": String(seconds) };
  return Response.json(dataPlaneErrorBody(error), { status, headers });
}

// --- internal ---

/** The headers that name the exhausted limit, and the reason. */
function limitHeaders({ limitId, reachedType, notice }: Refusal): Record<string, string> {
  const values = { [ACTIVE_LIMIT]: limitId, [REACHED_TYPE]: reachedType, [NOTICE]: notice };
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, text]) => {
      const value = text === undefined ? undefined : headerValue(text);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** The header with a text that Codex shows in place of its own advice on a usage limit. */
const NOTICE = "x-codex-promo-message";

const JsonObject = z.looseObject({});

/** Longest part of a plain-text error that is kept. */
const LONGEST_MESSAGE = 4_096;

function messageFields(body: string): Readonly<Record<string, unknown>> {
  return body === "" ? {} : { error: { message: shortText(body, LONGEST_MESSAGE) } };
}

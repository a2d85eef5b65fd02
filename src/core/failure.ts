// Reads a failure of a backend or a child proxy: a failed HTTP reply, or an event that ends a turn.

import { z } from "zod";
import { believableEnd, shortText } from "./bounds.ts";
import { ATTEMPTS_HEADER, parseAttempts } from "./hops.ts";
import { parseJson } from "./json.ts";
import { epochMs, type HeaderReader, limitId } from "./quota-wire.ts";

/** A failure as reported by a status line, an error body or an event. */
export interface Failure {
  readonly status: number | undefined;
  /** `error.code`, or else `error.type`. */
  readonly code: string | undefined;
  readonly message: string;
  /** When a limit ends, Unix ms: the reset that the error names, or else the end of its Retry-After. */
  readonly resetsAtMs: number | undefined;
  readonly retryAfterMs: number | undefined;
  /** The limit that was reached, if it is named. */
  readonly limitId: string | undefined;
  /** True if the reply is a challenge page of a service in front of the backend, such as Cloudflare. */
  readonly challenge: boolean;
  /** How many attempts a proxy on the way made before it gave up; undefined if no proxy reports any. */
  readonly attempts?: number | undefined;
}

/** The header that names the limit behind a refusal. */
export const ACTIVE_LIMIT = "x-codex-active-limit";

/** No Retry-After of a passing failure is believed beyond this, in ms. A limit has its own reset time. */
export const LONGEST_FAULT_MS = 3_600_000;

/** Reads a failed HTTP reply. `body` is its text, "" if it has none or could not be read. */
export function failureOfReply(status: number, headers: HeaderReader, body: string, nowMs: number): Failure {
  const error = errorOf(body);
  const retryAfter = retryAfterMs(headers.get("retry-after"), nowMs);
  return {
    status,
    code: error?.code ?? error?.type ?? undefined,
    message: messageOf(error?.message ?? body),
    resetsAtMs: resetOf(error, nowMs) ?? later(retryAfter, nowMs),
    retryAfterMs: retryAfter,
    limitId: limitIdOf(headers.get(ACTIVE_LIMIT)),
    challenge: headers.get("cf-mitigated") !== null || looksLikeHtml(headers.get("content-type"), body),
    attempts: parseAttempts(headers.get(ATTEMPTS_HEADER)),
  };
}

/** Reads an `error` or `response.failed` event of a turn. */
export function failureOfEvent(event: unknown, nowMs: number): Failure {
  const parsed = FailureEvent.safeParse(event);
  const fields = parsed.success ? parsed.data : undefined;
  const error = fields?.error ?? fields?.response?.error ?? ReplyBody.safeParse(event).data;
  const message = messageOf(error?.message ?? "");
  const retryAfter = retryAfterMs(fields?.headers?.["retry-after"] ?? null, nowMs) ?? tryAgainMs(message);
  return {
    status: fields?.status ?? fields?.status_code ?? undefined,
    code: error?.code ?? error?.type ?? undefined,
    message,
    resetsAtMs: resetOf(error, nowMs) ?? later(retryAfter, nowMs),
    retryAfterMs: retryAfter,
    limitId: limitIdOf(fields?.headers?.[ACTIVE_LIMIT] ?? null),
    challenge: false,
    attempts: parseAttempts(fields?.headers?.[ATTEMPTS_HEADER]),
  };
}

/** `Retry-After` as milliseconds from now: whole seconds or an HTTP date; undefined if it is absent, in the past or unreadable. */
export function retryAfterMs(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined;
  const text = value.trim();
  const endMs = /^\d+$/.test(text) ? nowMs + Number(text) * 1000 : Date.parse(text);
  return endMs > nowMs && believableEnd(endMs, nowMs) !== undefined ? endMs - nowMs : undefined;
}

// --- internal ---

const maybeText = z.string().nullish().catch(undefined);

const ErrorBody = z.looseObject({
  code: maybeText,
  type: maybeText,
  message: maybeText,
  resets_at: z.number().nullish().catch(undefined),
  resets_in_seconds: z.number().nullish().catch(undefined),
});
type ErrorBody = z.infer<typeof ErrorBody>;

/** `{"error": {…}}`, and `{"detail": …}` as some of the backend's gateways write it. */
const ReplyBody = z.union([
  z.looseObject({ error: ErrorBody }).transform((body) => body.error),
  z.looseObject({ detail: ErrorBody }).transform((body) => body.detail),
  z.looseObject({ detail: z.string() }).transform((body): ErrorBody => ({ message: body.detail })),
]);

const FailureEvent = z.looseObject({
  status: z.number().nullish().catch(undefined),
  status_code: z.number().nullish().catch(undefined),
  error: ErrorBody.nullish(),
  response: z.looseObject({ error: ErrorBody.nullish() }).nullish(),
  headers: z.record(z.string(), z.string()).nullish().catch(undefined),
});

function limitIdOf(name: string | null): string | undefined {
  const id = limitId(name ?? "");
  return id === "" ? undefined : id;
}

function errorOf(body: string): ErrorBody | undefined {
  const parsed = ReplyBody.safeParse(parseJson(body));
  return parsed.success ? parsed.data : undefined;
}

/** Long enough for every message of the backend that is recognized by its text. */
const LONGEST_MESSAGE = 4_096;

function messageOf(text: string): string {
  return shortText(text, LONGEST_MESSAGE);
}

function resetOf(error: ErrorBody | undefined, nowMs: number): number | undefined {
  const { resets_at: at, resets_in_seconds: inSeconds } = error ?? {};
  const resetMs = typeof at === "number" ? believableEnd(epochMs(at), nowMs) : undefined;
  if (resetMs !== undefined || typeof inSeconds !== "number" || inSeconds <= 0) return resetMs;
  return believableEnd(nowMs + inSeconds * 1000, nowMs);
}

function later(afterMs: number | undefined, nowMs: number): number | undefined {
  return afterMs === undefined ? undefined : nowMs + afterMs;
}

/** "Please try again in 1.5s" / "in 20ms", as the message of `rate_limit_exceeded` says. */
function tryAgainMs(message: string): number | undefined {
  const match = /try again in (\d+(?:\.\d+)?)\s*(ms|s|seconds?|m|minutes?)\b/i.exec(message);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  const unit = match[2].toLowerCase();
  const factor = unit === "ms" ? 1 : unit.startsWith("m") ? 60_000 : 1000;
  return Math.min(LONGEST_FAULT_MS, Math.ceil(Number(match[1]) * factor));
}

function looksLikeHtml(contentType: string | null, body: string): boolean {
  return (contentType ?? "").includes("text/html") || /^\s*<(?:!doctype|html)/i.test(body);
}

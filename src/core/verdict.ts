// What a reply, an event or an error means for the upstream that gave it. The one table of blame:
//
//   what came                                             verdict              who is to blame
//   1xx-3xx                                               ok                   -
//   usage_limit_reached and its relatives, any status     limit (until reset)  the account, till its reset
//   401                                                   renew                the token; renewed once, then disabled
//   403 of a challenge page (Cloudflare)                  cool                 the way there
//   403 on an account's turn path                         renew                the account, for a quarter of an hour
//   400 invalid_encrypted_content                         foreign_ciphertext   nobody: made by another account
//   402                                                   limit                the account's plan
//   408, 429, 5xx                                         cool                 the account, for a moment
//   no connection, broken connection                      cool, by attempts.ts nobody, when every account fails so
//   any other 4xx                                         client               the request
//
// Off the turn paths (catalogues, plug-ins, settings …) a 403, 429 or 5xx says nothing about an account's turns:
// `elsewhere` lets another account try and blames nobody.

import { z } from "zod";
import type { HeaderReader } from "./quota-wire.ts";

export type Verdict =
  | { readonly kind: "ok" }
  /** The request's own fault: deliver as it is. */
  | { readonly kind: "client" }
  /** The allowance is used up; `untilMs` is its reset when it was told. */
  | { readonly kind: "limit"; readonly untilMs: number | undefined }
  | { readonly kind: "cool"; readonly reason: string; readonly forMs: number }
  | { readonly kind: "elsewhere"; readonly reason: string }
  | { readonly kind: "renew"; readonly status: number }
  | { readonly kind: "disable"; readonly reason: string }
  | { readonly kind: "foreign_ciphertext" };

/** A failure as told by a status line, an error body or an event. */
export interface Failure {
  readonly status: number | undefined;
  /** `error.code`, else `error.type`. */
  readonly code: string | undefined;
  readonly message: string;
  readonly resetsAtMs: number | undefined;
  readonly retryAfterMs: number | undefined;
  /** The reply is a challenge page of something in front of the backend. */
  readonly challenge: boolean;
}

/** `turn`: a failure speaks about the account. `other`: it does not. */
export type Scope = "turn" | "other";

/** Rest after a 429 that names no time: the Go program's value. */
const RATE_LIMIT_MS = 5_000;
/** Rest after a 5xx that names no time: the Go program's value. */
const SERVER_ERROR_MS = 2_000;
/** No Retry-After of a mere fault is believed beyond this; a limit has its reset time instead. */
const LONGEST_FAULT_MS = 3_600_000;

const LIMIT_CODES: ReadonlySet<string> = new Set([
  "usage_limit_reached",
  "usage_not_included",
  "insufficient_quota",
  "workspace_owner_credits_depleted",
]);

/** Applies the table above. `status` must be an error status or undefined (an event without one). */
export function judge(failure: Failure, scope: Scope): Verdict {
  const { status, code } = failure;
  if (isLimit(failure)) return { kind: "limit", untilMs: failure.resetsAtMs };
  if (code === "invalid_encrypted_content") return { kind: "foreign_ciphertext" };
  if (status === 401 || code === "token_expired") return { kind: "renew", status: 401 };
  if (status === 403) return forbidden(failure, scope);
  if (status === 402) return scope === "turn" ? { kind: "limit", untilMs: undefined } : { kind: "client" };
  const resting = restOf(failure);
  if (resting === undefined) return { kind: "client" };
  const reason = status === undefined ? (code ?? "stream-failed") : `http-${status}`;
  return scope === "turn" ? { kind: "cool", reason, forMs: resting } : { kind: "elsewhere", reason };
}

/** Reads a failed HTTP reply. `body` is its text, "" when it has none or it could not be read. */
export function failureOfReply(status: number, headers: HeaderReader, body: string, nowMs: number): Failure {
  const error = errorOf(body);
  return {
    status,
    code: error?.code ?? error?.type ?? undefined,
    message: error?.message ?? body,
    resetsAtMs: resetOf(error, nowMs),
    retryAfterMs: retryAfterMs(headers.get("retry-after"), nowMs),
    challenge: headers.get("cf-mitigated") !== null || looksLikeHtml(headers.get("content-type"), body),
  };
}

/** Reads an `error` or `response.failed` event of a turn. */
export function failureOfEvent(event: unknown, nowMs: number): Failure {
  const parsed = FailureEvent.safeParse(event);
  const told = parsed.success ? parsed.data : undefined;
  const error = told?.error ?? told?.response?.error ?? undefined;
  const message = error?.message ?? "";
  return {
    status: told?.status ?? told?.status_code ?? undefined,
    code: error?.code ?? error?.type ?? undefined,
    message,
    resetsAtMs: resetOf(error, nowMs),
    retryAfterMs: retryAfterMs(told?.headers?.["retry-after"] ?? null, nowMs) ?? tryAgainMs(message),
    challenge: false,
  };
}

/** `Retry-After` as milliseconds from now: whole seconds or an HTTP date; undefined when absent, past or unreadable. */
export function retryAfterMs(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined;
  const text = value.trim();
  if (/^\d+$/.test(text)) return Number(text) > 0 ? Number(text) * 1000 : undefined;
  const date = Date.parse(text);
  return Number.isNaN(date) || date <= nowMs ? undefined : date - nowMs;
}

// --- internal ---

const ErrorBody = z.looseObject({
  code: z.string().nullish(),
  type: z.string().nullish(),
  message: z.string().nullish(),
  resets_at: z.number().nullish(),
  resets_in_seconds: z.number().nullish(),
});
type ErrorBody = z.infer<typeof ErrorBody>;

/** `{"error": {…}}`, and `{"detail": {…}}` as some of the backend's gateways write it. */
const ReplyBody = z.union([
  z.looseObject({ error: ErrorBody }).transform((body) => body.error),
  z.looseObject({ detail: ErrorBody }).transform((body) => body.detail),
]);

const FailureEvent = z.looseObject({
  status: z.number().nullish(),
  status_code: z.number().nullish(),
  error: ErrorBody.nullish(),
  response: z.looseObject({ error: ErrorBody.nullish() }).nullish(),
  headers: z.record(z.string(), z.string()).nullish().catch(undefined),
});

/** Codes of failures that pass: another account, or a moment later, may well succeed. */
const PASSING_CODES: ReadonlySet<string> = new Set([
  "rate_limit_exceeded",
  "server_is_overloaded",
  "slow_down",
  "server_error",
  "internal_server_error",
]);

function isLimit(failure: Failure): boolean {
  if (failure.code !== undefined && LIMIT_CODES.has(failure.code)) return true;
  if (failure.status !== 403 && failure.status !== 429) return false;
  const text = failure.message.toLowerCase().replaceAll("’", "'");
  return (
    text.includes("you've hit your usage limit") ||
    (text.includes("usage limit") && text.includes("purchase more credits")) ||
    text.includes("chatgpt.com/codex/settings/usage")
  );
}

function forbidden(failure: Failure, scope: Scope): Verdict {
  if (scope === "other") return { kind: "client" };
  if (failure.challenge) return { kind: "cool", reason: "http-403-challenge", forMs: RATE_LIMIT_MS };
  return { kind: "renew", status: 403 };
}

/** How long an upstream rests after a passing failure; undefined when the failure is the request's own. */
function restOf({ status, code, retryAfterMs: told }: Failure): number | undefined {
  const passing = code !== undefined && PASSING_CODES.has(code);
  const byStatus = status === 429 || status === 408 || (status !== undefined && status >= 500);
  if (!passing && !byStatus) return undefined;
  const fallback = status === 429 || code === "rate_limit_exceeded" ? RATE_LIMIT_MS : SERVER_ERROR_MS;
  return Math.min(LONGEST_FAULT_MS, told ?? fallback);
}

function errorOf(body: string): ErrorBody | undefined {
  if (!body.trimStart().startsWith("{")) return undefined;
  try {
    const parsed = ReplyBody.safeParse(JSON.parse(body));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined; // not JSON after all: then it is no error object either
  }
}

function resetOf(error: ErrorBody | undefined, nowMs: number): number | undefined {
  if (error === undefined) return undefined;
  if (typeof error.resets_at === "number" && error.resets_at > 0) return error.resets_at * 1000;
  const inSeconds = error.resets_in_seconds;
  return typeof inSeconds === "number" && inSeconds > 0 ? nowMs + inSeconds * 1000 : undefined;
}

/** "Please try again in 1.5s" / "in 20ms", as `rate_limit_exceeded` says it. */
function tryAgainMs(message: string): number | undefined {
  const match = /try again in (\d+(?:\.\d+)?)\s*(ms|s|seconds?|m|minutes?)\b/i.exec(message);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  const unit = match[2].toLowerCase();
  const factor = unit === "ms" ? 1 : unit.startsWith("m") ? 60_000 : 1000;
  return Math.ceil(Number(match[1]) * factor);
}

function looksLikeHtml(contentType: string | null, body: string): boolean {
  return (contentType ?? "").includes("text/html") || /^\s*<(?:!doctype|html)/i.test(body);
}

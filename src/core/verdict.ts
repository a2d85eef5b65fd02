// What a reply, an event or an error means for the upstream that gave it. The one table of blame:
//
//   what came                                             verdict              who is to blame
//   1xx-3xx                                               ok                   -
//   a refusal on grounds of policy, any status            client               the request; no other account sees it
//   access_program_not_enabled                            elsewhere, once      nobody: another account may be enrolled
//   usage_limit_reached and its relatives, any status     limit (until reset)  the account, till its reset
//   401                                                   renew                the token; renewed once, then disabled
//   403 of a challenge page (Cloudflare)                  cool                 the way there
//   403 on an account's turn path                         renew                the account, for a quarter of an hour
//   400 invalid_encrypted_content                         foreign_ciphertext   nobody: made by another account
//   402                                                   limit                the account's plan
//   408, 429, 5xx                                         cool                 the account, for a moment
//   404, 400 of a model that the account may not use      elsewhere            nobody: another account may have it
//   an error event without status and with unknown code   elsewhere            nobody knows
//   no connection, broken connection                      cool, by attempts.ts nobody, when every account fails so
//   any other 4xx                                         client               the request
//
// What a child proxy says (`judgeChild`) is judged by the same table, but for this: it has seen to its accounts' logins
// itself, so a 401 or a 421 is about the way we ask it; the others of its refusals are no fault of its own.
//
//   401, 421                                              cool                 the settings of the two proxies
//   508, 426, 403                                         elsewhere            nobody: another one may serve it
//
// A handshake holds nothing of the request yet, so what else is said to it (`handshake`) is never the request's fault:
// `elsewhere`, except for 426, which is an answer. Off the turn paths (catalogues, plug-ins, settings …) a 403, 429 or
// 5xx says nothing about an account's turns: `elsewhere` lets another account try and blames nobody.

import { z } from "zod";
import { believableEnd, shortText } from "./bounds.ts";
import { ATTEMPTS_HEADER, parseAttempts } from "./hops.ts";
import { parseJson } from "./json.ts";
import { epochMs, type HeaderReader, limitId } from "./quota-wire.ts";

export type Verdict =
  | { readonly kind: "ok" }
  /** Nothing to judge yet: deliver what there is. */
  | { readonly kind: "open" }
  /** The request's own fault: deliver as it is. */
  | { readonly kind: "client" }
  /** The quota is exhausted. `untilMs` is its reset and `limitId` the limit, if the backend named them. */
  | { readonly kind: "limit"; readonly untilMs: number | undefined; readonly limitId?: string }
  /** `told`: the backend named the time; else it grows with each fault in a row. */
  | { readonly kind: "cool"; readonly reason: string; readonly forMs: number; readonly told: boolean }
  /** `once`: only one more account is worth asking. */
  | { readonly kind: "elsewhere"; readonly reason: string; readonly once?: boolean }
  | { readonly kind: "renew"; readonly status: number }
  | { readonly kind: "disable"; readonly reason: string }
  | { readonly kind: "foreign_ciphertext" };

/** A failure as told by a status line, an error body or an event. */
export interface Failure {
  readonly status: number | undefined;
  /** `error.code`, else `error.type`. */
  readonly code: string | undefined;
  readonly message: string;
  /** When it is over, as a limit: the reset that the error names, else its Retry-After. Unix ms. */
  readonly resetsAtMs: number | undefined;
  readonly retryAfterMs: number | undefined;
  /** The limit that the failure is about, when it is named. */
  readonly limitId: string | undefined;
  /** The reply is a challenge page of something in front of the backend. */
  readonly challenge: boolean;
  /** How many attempts a proxy on the way made before it gave up; undefined when none says so. */
  readonly attempts?: number | undefined;
}

/** `turn`, `handshake`: a failure speaks about the account. `other`: it does not. */
export type Scope = "turn" | "handshake" | "other";

/** Rest after a 429 that names no time: the Go program's value. */
const RATE_LIMIT_MS = 5_000;
/** Rest after a 5xx that names no time: the Go program's value. */
const SERVER_ERROR_MS = 2_000;
/** No Retry-After of a mere fault is believed beyond this; a limit has its reset time instead. */
const LONGEST_FAULT_MS = 3_600_000;

/** The header that names the limit behind a refusal. */
export const ACTIVE_LIMIT = "x-codex-active-limit";

const LIMIT_CODES: ReadonlySet<string> = new Set([
  "usage_limit_reached",
  "usage_not_included",
  "insufficient_quota",
  "workspace_owner_credits_depleted",
  "workspace_member_credits_depleted",
  "workspace_owner_usage_limit_reached",
  "workspace_member_usage_limit_reached",
]);

/**
 * Refusals on grounds of policy, as Codex 0.171 knows them. Asking a second account would put a flagged request on all
 * of a person's accounts, and none of them would answer otherwise.
 */
const POLICY_CODES: ReadonlySet<string> = new Set([
  "bio_policy",
  "budget_reached",
  "content_filter",
  "content_policy_violation",
  "cyber_policy",
  "flex_unavailable",
  "inference_hook_denied",
  "invalid_prompt",
  "misalignment_policy_violation",
  "policy_capacity_unavailable",
  "session_budget_exceeded",
  "too_many_denials",
]);

/** Applies the table above. `status` must be an error status or undefined (an event without one). */
export function judge(failure: Failure, scope: Scope): Verdict {
  const { status, code } = failure;
  if (isPolicy(failure)) return { kind: "client" };
  if (code === "access_program_not_enabled") return { kind: "elsewhere", reason: code, once: true };
  if (isLimit(failure)) return limitOf(failure);
  if (code === "invalid_encrypted_content") return { kind: "foreign_ciphertext" };
  if (status === 401 || code === "token_expired") return { kind: "renew", status: 401 };
  if (status === 403) return forbidden(failure, scope);
  if (status === 402) return scope === "other" ? { kind: "client" } : limitOf(failure);
  const rest = restOf(failure);
  const reason = status === undefined ? (code ?? "stream-failed") : `http-${status}`;
  if (rest !== undefined)
    return scope === "other" ? { kind: "elsewhere", reason } : { kind: "cool", reason, ...rest };
  return isRequestsOwn(failure, scope) ? { kind: "client" } : { kind: "elsewhere", reason };
}

/** As `judge`, for a failure that a child proxy tells. */
export function judgeChild(failure: Failure, scope: Scope): Verdict {
  const { status } = failure;
  if (isPolicy(failure)) return { kind: "client" };
  if (status === 401 || status === 421)
    return { kind: "cool", reason: CHILD_REFUSES[status], forMs: CHILD_REFUSES_MS, told: true };
  if (status === 508 || status === 426 || (status === 403 && !isLimit(failure)))
    return { kind: "elsewhere", reason: `http-${status}` };
  const verdict = judge(failure, scope);
  return verdict.kind === "renew" ? { kind: "elsewhere", reason: "http-401" } : verdict;
}

/** Reads a failed HTTP reply. `body` is its text, "" when it has none or it could not be read. */
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
  const told = parsed.success ? parsed.data : undefined;
  const error = told?.error ?? told?.response?.error ?? ReplyBody.safeParse(event).data;
  const message = messageOf(error?.message ?? "");
  const retryAfter = retryAfterMs(told?.headers?.["retry-after"] ?? null, nowMs) ?? tryAgainMs(message);
  return {
    status: told?.status ?? told?.status_code ?? undefined,
    code: error?.code ?? error?.type ?? undefined,
    message,
    resetsAtMs: resetOf(error, nowMs) ?? later(retryAfter, nowMs),
    retryAfterMs: retryAfter,
    limitId: limitIdOf(told?.headers?.[ACTIVE_LIMIT] ?? null),
    challenge: false,
    attempts: parseAttempts(told?.headers?.[ATTEMPTS_HEADER]),
  };
}

/** `Retry-After` as milliseconds from now: whole seconds or an HTTP date; undefined when absent, past or unreadable. */
export function retryAfterMs(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined;
  const text = value.trim();
  const endMs = /^\d+$/.test(text) ? nowMs + Number(text) * 1000 : Date.parse(text);
  return endMs > nowMs && believableEnd(endMs, nowMs) !== undefined ? endMs - nowMs : undefined;
}

// --- internal ---

/** Until somebody has changed the settings; its status is asked in between, and says sooner that they are right. */
const CHILD_REFUSES_MS = 30_000;

const CHILD_REFUSES = { 401: "child-key-refused", 421: "child-host-refused" } as const;

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

/** Codes of failures that pass: another account, or a moment later, may well succeed. */
const PASSING_CODES: ReadonlySet<string> = new Set([
  "rate_limit_exceeded",
  "server_is_overloaded",
  "slow_down",
  "server_error",
  "internal_server_error",
]);

function isPolicy({ code }: Failure): boolean {
  return code !== undefined && POLICY_CODES.has(snakeCase(code));
}

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

function limitOf({ resetsAtMs, limitId }: Failure): Verdict {
  return { kind: "limit", untilMs: resetsAtMs, ...(limitId === undefined ? {} : { limitId }) };
}

function forbidden(failure: Failure, scope: Scope): Verdict {
  if (scope === "other") return { kind: "client" };
  if (failure.challenge)
    return { kind: "cool", reason: "http-403-challenge", forMs: RATE_LIMIT_MS, told: false };
  return { kind: "renew", status: 403 };
}

/** How long an upstream rests after a passing failure; undefined when the failure is no passing one. */
function restOf({ status, code, retryAfterMs: told }: Failure): { forMs: number; told: boolean } | undefined {
  const passing = code !== undefined && PASSING_CODES.has(code);
  const byStatus = status === 429 || status === 408 || (status !== undefined && status >= 500);
  if (!passing && !byStatus) return undefined;
  const fallback = status === 429 || code === "rate_limit_exceeded" ? RATE_LIMIT_MS : SERVER_ERROR_MS;
  return { forMs: Math.min(LONGEST_FAULT_MS, told ?? fallback), told: told !== undefined };
}

/** Codes that say that the request itself cannot be served, by whomever. */
const REQUEST_CODES: ReadonlySet<string> = new Set([
  "context_length_exceeded",
  "previous_response_not_found",
  "websocket_connection_limit_reached",
]);

/** "The 'x' model is not supported when using Codex with a ChatGPT account", and relatives. */
const MODEL_NOT_OFFERED =
  /model.{1,80}(?:is not supported when using|does not exist or you do not have access)/i;

/** True when another account would say the same. */
function isRequestsOwn({ status, code, message }: Failure, scope: Scope): boolean {
  if (code !== undefined && REQUEST_CODES.has(code)) return true;
  if (scope === "handshake") return status === 426;
  if (scope === "other") return true;
  if (status === undefined || status === 404) return false;
  return code !== "model_not_found" && !MODEL_NOT_OFFERED.test(message);
}

/** Some layers of Codex spell codes in camel case. */
function snakeCase(code: string): string {
  return code.replace(/([a-z])([A-Z])/g, "$1_$2").toLowerCase();
}

function limitIdOf(name: string | null): string | undefined {
  const id = limitId(name ?? "");
  return id === "" ? undefined : id;
}

function errorOf(body: string): ErrorBody | undefined {
  const parsed = ReplyBody.safeParse(parseJson(body));
  return parsed.success ? parsed.data : undefined;
}

/** Enough to contain every sentence of the backend that matters here. */
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

/** "Please try again in 1.5s" / "in 20ms", as `rate_limit_exceeded` says it. */
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

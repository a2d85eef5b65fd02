// What a failure means for the upstream that reported it. The one table of blame:
//
//   reply, event or error                                 verdict              who is to blame
//   1xx-3xx                                               ok                   -
//   a refusal on grounds of policy, any status            client               the request; no other account sees it
//   access_program_not_enabled                            elsewhere, once      no one: another account may be enrolled
//   usage_limit_reached and its relatives, any status     limit (until reset)  the account, until its reset
//   401                                                   renew                the token; renewed once, then disabled
//   403 of a challenge page (Cloudflare)                  cool                 the connection to the backend
//   403 on an account's turn path                         renew                the account, for 15 minutes
//   400 invalid_encrypted_content                         foreign_ciphertext   no one: made by another account
//   402                                                   limit                the account's plan
//   408, 429, 5xx                                         cool                 the account, for a few seconds
//   404, 400 of a model that the account may not use      elsewhere            no one: another account may have it
//   an error event without status and with unknown code   elsewhere            unknown
//   no connection, broken connection                      cool, by attempts.ts no one, if every account fails so
//   any other 4xx                                         client               the request
//
// `judgeChild` uses the same table for a child proxy, with these exceptions. The child has already renewed the logins
// of its accounts, so a 401 or a 421 is about this proxy's request to it; its other refusals are not its fault.
//
//   401, 421                                              cool                 the settings of the two proxies
//   508, 426, 403                                         elsewhere            no one: another upstream may serve it
//
// A handshake does not contain the request yet, so other failures of a handshake are never the request's fault:
// `elsewhere`, except for 426, which is an answer. Off the turn paths (catalogues, plug-ins, settings …) a 403, 429 or
// 5xx says nothing about an account's turns: `elsewhere` lets another account try and blames none.
//
// Requests for state that belongs to one account (notes, history, files) are not turns either, and not even a usage
// limit says anything about the account. An account that does not have the state returns a 404, or "No note found":
// `elsewhere`, with `isMissing`.

import { type Failure, LONGEST_FAULT_MS } from "./failure.ts";

export type Verdict =
  | { readonly kind: "ok" }
  /** Nothing to judge yet: deliver what there is. */
  | { readonly kind: "open" }
  /** The request's own fault: deliver the reply as it is. */
  | { readonly kind: "client" }
  /** The quota is exhausted. `untilMs` is its reset and `limitId` the limit, if the backend named them. */
  | { readonly kind: "limit"; readonly untilMs: number | undefined; readonly limitId?: string }
  /** `isTimed`: the backend named the time; otherwise the cooldown grows with each fault in a row. */
  | { readonly kind: "cool"; readonly reason: string; readonly forMs: number; readonly isTimed: boolean }
  /** `once`: only one more account is worth asking. `isMissing`: the account does not have what was asked for. */
  | {
      readonly kind: "elsewhere";
      readonly reason: string;
      readonly once?: boolean;
      readonly isMissing?: boolean;
    }
  | { readonly kind: "renew"; readonly status: number }
  | { readonly kind: "disable"; readonly reason: string }
  | { readonly kind: "foreign_ciphertext" };

/**
 * `turn`, `handshake`: a failure concerns the account. `other`: only a usage limit does. `state`: not even a usage
 * limit does, because the request is about state that belongs to one account.
 */
export type Scope = "turn" | "handshake" | "other" | "state";

/** The cooldown after a 429 that names no time, in ms: the Go program's value. */
const RATE_LIMIT_MS = 5_000;
/** The cooldown after a 5xx that names no time, in ms: the Go program's value. */
const SERVER_ERROR_MS = 2_000;

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
 * Refusals on grounds of policy, as in Codex 0.171. If they were retried, a flagged request would count against all of
 * the user's accounts, and no account would answer differently.
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
  if (scope === "state" && !isLogin(failure)) return judgeState(failure);
  if (isLimit(failure)) return limitOf(failure);
  if (code === "invalid_encrypted_content") return { kind: "foreign_ciphertext" };
  if (isLogin(failure)) return { kind: "renew", status: 401 };
  if (status === 403) return forbidden(failure, scope);
  if (status === 402) return scope === "other" ? { kind: "client" } : limitOf(failure);
  const cooldown = cooldownOf(failure);
  const reason = status === undefined ? (code ?? "stream-failed") : `http-${status}`;
  if (cooldown !== undefined)
    return scope === "other" ? { kind: "elsewhere", reason } : { kind: "cool", reason, ...cooldown };
  return isRequestsOwn(failure, scope) ? { kind: "client" } : { kind: "elsewhere", reason };
}

/** Like `judge`, for a failure that a child proxy reports. */
export function judgeChild(failure: Failure, scope: Scope): Verdict {
  const { status } = failure;
  if (isPolicy(failure)) return { kind: "client" };
  if (status === 401 || status === 421)
    return { kind: "cool", reason: CHILD_REFUSES[status], forMs: CHILD_REFUSES_MS, isTimed: true };
  if (status === 508 || status === 426 || (status === 403 && !isLimit(failure)))
    return { kind: "elsewhere", reason: `http-${status}` };
  const verdict = judge(failure, scope);
  return verdict.kind === "renew" ? { kind: "elsewhere", reason: "http-401" } : verdict;
}

/** True if the upstream has not failed, but does not have what was asked for. */
export function isMissing(verdict: Verdict): boolean {
  return verdict.kind === "elsewhere" && verdict.isMissing === true;
}

// --- internal ---

/** Until the settings are changed. The child's status is asked for meanwhile, and ends the cooldown sooner. */
const CHILD_REFUSES_MS = 30_000;

const CHILD_REFUSES = { 401: "child-key-refused", 421: "child-host-refused" } as const;

/** Codes of failures that pass: another account, or the same one a moment later, may succeed. */
const PASSING_CODES: ReadonlySet<string> = new Set([
  "rate_limit_exceeded",
  "server_is_overloaded",
  "slow_down",
  "server_error",
  "internal_server_error",
]);

/** True if the backend refused the credentials. */
function isLogin({ status, code }: Failure): boolean {
  return status === 401 || code === "token_expired";
}

function judgeState(failure: Failure): Verdict {
  const { status, message } = failure;
  const reason = `http-${status}`;
  if (status === 404 || /\bno note found\b/i.test(message))
    return { kind: "elsewhere", reason, isMissing: true };
  const passes = status === 402 || isLimit(failure) || cooldownOf(failure) !== undefined;
  return passes ? { kind: "elsewhere", reason } : { kind: "client" };
}

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
    return { kind: "cool", reason: "http-403-challenge", forMs: RATE_LIMIT_MS, isTimed: false };
  return { kind: "renew", status: 403 };
}

/** The cooldown of an upstream after a passing failure; undefined if the failure does not pass. */
function cooldownOf({
  status,
  code,
  retryAfterMs,
}: Failure): { readonly forMs: number; readonly isTimed: boolean } | undefined {
  const passing = code !== undefined && PASSING_CODES.has(code);
  const byStatus = status === 429 || status === 408 || (status !== undefined && status >= 500);
  if (!passing && !byStatus) return undefined;
  const fallback = status === 429 || code === "rate_limit_exceeded" ? RATE_LIMIT_MS : SERVER_ERROR_MS;
  return { forMs: Math.min(LONGEST_FAULT_MS, retryAfterMs ?? fallback), isTimed: retryAfterMs !== undefined };
}

/** Codes of requests that no account can serve. */
const REQUEST_CODES: ReadonlySet<string> = new Set([
  "context_length_exceeded",
  "previous_response_not_found",
  "websocket_connection_limit_reached",
]);

/** "The 'x' model is not supported when using Codex with a ChatGPT account", and relatives. */
const MODEL_NOT_OFFERED =
  /model.{1,80}(?:is not supported when using|does not exist or you do not have access)/i;

/** True if another account would answer in the same way. */
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

// The rows of the fault matrix: the backend's failures, and where in a turn they occur.

import type { MockAccountOptions } from "../../src/mock/accounts.ts";
import type { FaultInput } from "../../src/mock/faults.ts";
import { limitBody } from "../support/pool.ts";

/**
 * `head`: before the upgrade or response head. `before`, `after`: in the response, before and after its first output.
 */
export const PHASES = ["head", "before", "after"] as const;
export type Phase = (typeof PHASES)[number];
export const TRANSPORTS = ["websocket", "sse"] as const;
export type Transport = (typeof TRANSPORTS)[number];

export interface Row {
  readonly name: string;
  /** Instead of the upgrade or the response head. */
  readonly head?: Pick<FaultInput, "answer" | "reset" | "hang">;
  /** No server listens at the address of the account's backend. */
  readonly refusesConnections?: boolean;
  /** Happens to the warm-up of a WebSocket, not to the turn. */
  readonly warmUp?: Pick<FaultInput, "events" | "reset">;
  /** Inside the response: an event, or how the response ends. */
  readonly inside?: { readonly event?: Record<string, unknown>; readonly end?: FaultInput["end"] };
  /** Happens once. Default: for every request to the account. */
  readonly once?: boolean;
  /** Every account would refuse this request, so the client gets the refusal immediately and unchanged. */
  readonly requestsOwn?: boolean;
  /** A policy refusal, which exactly one account may see. Only turns get it, no handshakes. */
  readonly policy?: boolean;
  /** The message is too large for the backend, so Codex sends it over HTTP. */
  readonly tooLarge?: boolean;
  /** Alice's account. Its limit for the model `spent` is exhausted before the turn, and nothing fails. */
  readonly alice?: Partial<MockAccountOptions> & { readonly spent: string };
  /** The refusal concerns another model's limit, so alice stays available for other models. */
  readonly otherLimit?: boolean;
  /** Does not exist over this transport. */
  readonly not?: Transport;
}

export const RESET_S = Math.floor(Date.now() / 1000) + 3_600;
const LIMIT = limitBody(RESET_S);

export const CREATED = {
  type: "response.created",
  response: { id: "resp_begun", status: "in_progress", output: [] },
};
const ITEM = { type: "message", id: "msg_begun", role: "assistant", status: "in_progress", content: [] };
export const OUTPUT = [
  { type: "response.output_item.added", output_index: 0, item: ITEM },
  {
    type: "response.output_text.delta",
    item_id: "msg_begun",
    output_index: 0,
    content_index: 0,
    delta: "Hel",
  },
];

const WORKSPACE_LIMITS = [
  "workspace_member_credits_depleted",
  "workspace_owner_credits_depleted",
  "workspace_member_usage_limit_reached",
  "workspace_owner_usage_limit_reached",
] as const;

const POLICY_CODES = [
  "bio_policy",
  "misalignment_policy_violation",
  "content_policy_violation",
  "inference_hook_denied",
  "policy_capacity_unavailable",
  "flex_unavailable",
  "budget_reached",
  "too_many_denials",
] as const;
const POLICY = { requestsOwn: true, policy: true } as const;

/** The header in which the backend names the kind of a usage limit. */
function reachedType(code: string): Record<string, string> {
  return { "x-codex-rate-limit-reached-type": code };
}

/** The header in which the backend names the limit that was reached. */
const OTHER_LIMIT = { "x-codex-active-limit": "codex_bengalfox" };

export const ROWS: readonly Row[] = [
  refused("usage_limit_reached", 429, LIMIT),
  {
    ...refused("usage_limit_reached, with Retry-After", 429, LIMIT),
    head: { answer: { status: 429, headers: { "retry-after": "600" }, body: { error: LIMIT } } },
  },
  refused("usage_not_included", 429, { type: "usage_not_included", message: "not in your plan" }),
  ...WORKSPACE_LIMITS.map(
    (code): Row => ({
      name: `workspace limit, ${code}`,
      head: { answer: { status: 429, headers: reachedType(code), body: { error: LIMIT } } },
      inside: { event: { type: "error", status: 429, error: LIMIT, headers: reachedType(code) } },
    }),
  ),
  {
    name: "usage_limit_reached of another limit",
    head: { answer: { status: 429, headers: OTHER_LIMIT, body: { error: LIMIT } } },
    otherLimit: true,
  },
  {
    name: "usage_limit_reached of another limit, as an event",
    inside: { event: { type: "error", status: 429, error: LIMIT, headers: OTHER_LIMIT } },
    otherLimit: true,
    not: "sse",
  },
  {
    name: "no failure: another model's limit is exhausted",
    alice: { meters: [{ model: "gpt-spark", feature: "codex_bengalfox", turns: 1 }], spent: "gpt-spark" },
  },
  { name: "no failure: alice is exhausted but has credits", alice: { turns: 1, credits: 5, spent: "demo" } },
  refused("workspace_member_credits_depleted", 429, error("workspace_member_credits_depleted")),
  failed("usage_limit_reached"),
  failed("insufficient_quota"),
  refused("429 without Retry-After", 429, error("too_many_requests")),
  {
    name: "429 with Retry-After",
    head: {
      answer: { status: 429, headers: { "retry-after": "2" }, body: { error: error("too_many_requests") } },
    },
    inside: {
      event: {
        type: "error",
        status: 429,
        error: error("too_many_requests"),
        headers: { "retry-after": "2" },
      },
    },
  },
  failed("rate_limit_exceeded", "Please try again in 1.5s."),
  refused("401", 401, error("token_expired")),
  refused("402", 402, error("payment_required")),
  refused("403", 403, error("forbidden")),
  {
    name: "403, a challenge page",
    head: {
      answer: { status: 403, headers: { "cf-mitigated": "challenge" }, body: "<html>prove it</html>" },
    },
  },
  refused("404", 404, error("model_not_found")),
  { ...refused("400", 400, error("invalid_request")), requestsOwn: true },
  { ...failed("context_length_exceeded"), requestsOwn: true },
  ...POLICY_CODES.map((code): Row => ({ ...refused(`400 ${code}`, 400, error(code)), ...POLICY })),
  // Over SSE these would repeat the rows above.
  ...POLICY_CODES.map((code): Row => ({ ...failed(code), ...POLICY, not: "sse" })),
  { ...refused("403 inference_hook_denied", 403, error("inference_hook_denied")), ...POLICY },
  refused("400 invalid_encrypted_content", 400, error("invalid_encrypted_content")),
  refused("500", 500, error("internal_server_error")),
  { name: "502", head: { answer: { status: 502, body: "bad gateway" } } },
  refused("503", 503, error("unavailable")),
  refused("503 server_is_overloaded", 503, error("server_is_overloaded")),
  failed("server_is_overloaded"),
  failed("invalid_encrypted_content"),
  failed("an unknown code", undefined, "odd"),
  { name: "an error event without a status", inside: { event: { type: "error", error: error("odd") } } },
  {
    name: "400 previous_response_not_found",
    inside: { event: { type: "error", status: 400, error: error("previous_response_not_found") } },
    once: true,
    not: "sse",
  },
  {
    name: "400 websocket_connection_limit_reached",
    inside: { event: { type: "error", status: 400, error: error("websocket_connection_limit_reached") } },
    once: true,
    not: "sse",
  },
  { name: "426", head: { answer: { status: 426, body: {} } }, not: "sse" },
  { name: "200 that is no upgrade", head: { answer: { status: 200, body: {} } }, not: "sse" },
  {
    name: "an error in place of the warm-up",
    warmUp: { events: [{ type: "error", status: 500, error: error("internal_server_error") }] },
  },
  { name: "the connection is reset during the warm-up", warmUp: { reset: true } },
  { name: "connection refused", refusesConnections: true },
  { name: "the connection is reset", head: { reset: true }, inside: { end: "reset" } },
  { name: "the connection is closed in order", inside: { end: "close" }, not: "sse" },
  { name: "the connection is closed with 1009", tooLarge: true, not: "sse" },
  { name: "the answer ends in order, and is not complete", inside: { end: "finish" }, not: "websocket" },
  { name: "no answer at all", head: { hang: true } },
  { name: "nothing more comes", inside: { end: "hang" }, once: true },
];

/** The faults of a row in a phase, over a transport; undefined if the row does not apply there. */
export function faultsOf(row: Row, phase: Phase, transport: Transport): FaultInput[] | undefined {
  if (row.refusesConnections === true || row.alice !== undefined) return phase === "head" ? [] : undefined;
  const fault = row.not === transport ? undefined : faultOf(row, phase, transport);
  return fault && [fault];
}

// --- internal ---

function faultOf(row: Row, phase: Phase, transport: Transport): FaultInput | undefined {
  const about = { account: "alice", ...(row.once === true ? { times: 1 } : {}) } as const;
  if (row.tooLarge === true)
    return phase === "before"
      ? { on: "message", ...about, events: [], end: "close", closeCode: 1009 }
      : undefined;
  if (phase === "head" && row.policy === true && transport === "websocket") return undefined;
  if (phase === "head")
    return row.head && { on: transport === "sse" ? "sse" : "upgrade", ...about, ...row.head };
  if (row.warmUp !== undefined)
    return phase === "before" && transport === "websocket"
      ? { on: "warmup", ...about, ...row.warmUp }
      : undefined;
  if (row.inside === undefined) return undefined;
  const { event, end } = row.inside;
  const events = [
    CREATED,
    ...(phase === "after" ? OUTPUT : []),
    ...(event === undefined ? [] : [transport === "sse" ? asFailed(event) : event]),
  ];
  return {
    on: transport === "sse" ? "sse" : "message",
    ...about,
    events,
    // The response continues once the client has read the output.
    ...(phase === "after" ? { gateAfter: 1 + OUTPUT.length } : {}),
    ...(end === undefined ? {} : { end }),
  };
}

function error(code: string, message = "no"): Record<string, unknown> {
  return { type: code, code, message };
}

/** A refusal with a status, as a response head or as an event. */
function refused(name: string, status: number, details: Record<string, unknown>): Row {
  return {
    name,
    head: { answer: { status, body: { error: details } } },
    inside: { event: { type: "error", status, error: details } },
  };
}

/** A failure that occurs only inside a stream. */
function failed(name: string, message?: string, code = name): Row {
  const failure = code === "usage_limit_reached" ? LIMIT : error(code, message);
  return {
    name: `response.failed: ${name}`,
    inside: { event: { type: "response.failed", response: { error: failure } } },
  };
}

/** Over SSE the backend sends failures as `response.failed`. */
function asFailed(event: Record<string, unknown>): Record<string, unknown> {
  if (event.type !== "error" || event.status === undefined) return event;
  return { type: "response.failed", response: { error: event.error } };
}

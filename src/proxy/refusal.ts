// What the client hears when nobody could serve it, in its own language: a usage limit with the pool's earliest
// reset, or a clear error that says what to do. Never a 401: that would make Codex renew a token that is ours.

import { z } from "zod";
import { parseJson } from "../core/turn.ts";
import { CodexlbError, dataPlaneErrorBody } from "../errors.ts";
import type { Shortage } from "../upstream/pool.ts";

/** A whole answer, ready for either transport. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  /** Seconds to wait, when waiting helps. */
  readonly retryAfterSeconds: number | undefined;
  /** JSON: `{"error": {…}}`. */
  readonly body: string;
}

/**
 * The refusal for `shortage`. `limitBody` is the backend's own usage-limit answer when there was one: it is passed
 * on whole, with its reset times replaced by the pool's earliest.
 */
export function refusalFor(
  shortage: Shortage,
  about: {
    readonly limitBody: string | undefined;
    readonly planType: string;
    readonly brokenWhy: string | undefined;
  },
  nowMs: number,
): Refusal {
  switch (shortage.kind) {
    case "all_exhausted":
      return usageLimit(shortage.untilMs, about, nowMs);
    case "no_accounts":
      return refuse(
        "no_accounts",
        "no account is enrolled",
        "run: codexlb account login ALIAS, or: codexlb account import",
      );
    case "all_disabled":
      return refuse(
        "no_account_available",
        `no account is in service: ${shortage.details.join(", ")}`,
        "log in again with: codexlb account login ALIAS, or put one back with: codexlb account enable ALIAS",
      );
    case "all_tried":
      if (about.limitBody !== undefined) return usageLimit(shortage.untilMs, about, nowMs);
      if (about.brokenWhy !== undefined)
        return refuse(
          "upstream_unreachable",
          `the backend could not be reached: ${about.brokenWhy}`,
          "check the network; the request can be sent again",
        );
      return refuse(
        "no_account_available",
        `no account could serve the request: ${shortage.details.join(", ")}`,
        "run: codexlb status",
        RETRY_SECONDS,
      );
    default:
      return shortage.kind satisfies never;
  }
}

/** A refusal as an HTTP answer. */
export function refusalResponse(refusal: Refusal): Response {
  const headers = new Headers({ "content-type": "application/json" });
  if (refusal.retryAfterSeconds !== undefined) headers.set("retry-after", String(refusal.retryAfterSeconds));
  return new Response(refusal.body, { status: refusal.status, headers });
}

/** A refusal as the error event of a WebSocket turn. */
export function refusalEvent(refusal: Refusal): string {
  const error = z.looseObject({ error: z.unknown() }).safeParse(parseJson(refusal.body));
  return JSON.stringify({
    type: "error",
    status: refusal.status,
    error: error.success ? error.data.error : undefined,
    ...(refusal.retryAfterSeconds === undefined
      ? {}
      : { headers: { "retry-after": String(refusal.retryAfterSeconds) } }),
  });
}

/** The answer for an error of our own. */
export function errorResponse(error: CodexlbError): Response {
  return Response.json(dataPlaneErrorBody(error), { status: error.status });
}

// --- internal ---

/** When accounts only rest for a moment. */
const RETRY_SECONDS = 5;

function usageLimit(
  untilMs: number | undefined,
  about: { readonly limitBody: string | undefined; readonly planType: string },
  nowMs: number,
): Refusal {
  const told = z
    .looseObject({ error: z.looseObject({}) })
    .safeParse(about.limitBody === undefined ? undefined : parseJson(about.limitBody));
  const inSeconds = untilMs === undefined ? undefined : Math.max(1, Math.ceil((untilMs - nowMs) / 1000));
  const error = {
    type: "usage_limit_reached",
    message: "The usage limit has been reached",
    plan_type: about.planType,
    ...(told.success ? told.data.error : {}),
    ...(untilMs === undefined || inSeconds === undefined
      ? {}
      : { resets_at: Math.floor(untilMs / 1000), resets_in_seconds: inSeconds }),
  };
  return {
    status: 429,
    code: "usage_limit_reached",
    // No Retry-After: the error itself says when, and waiting a header's hours helps nobody.
    retryAfterSeconds: undefined,
    body: JSON.stringify({ ...(told.success ? told.data : {}), error }),
  };
}

function refuse(
  code: "no_accounts" | "no_account_available" | "upstream_unreachable",
  message: string,
  next: string,
  retryAfterSeconds?: number,
): Refusal {
  const error = new CodexlbError(code, message, { next });
  return { status: error.status, code, retryAfterSeconds, body: JSON.stringify(dataPlaneErrorBody(error)) };
}

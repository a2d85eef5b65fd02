// Decides what the client gets if its request was not served, on every transport. Pure functions.
//
//   no upstream served the request
//     the last reply is true of the whole pool     the reply as received
//     the last reply concerns one account          the pool's own refusal
//     a WebSocket turn refers to an earlier        a request to reconnect, after which the client sends everything
//     response, which other accounts do not have
//     a handshake                                  426, because over HTTP the proxy can ask the client to wait
//   the turn fails after its first output          the event as received, or a cut, after which Codex keeps the output
//                                                  and sends the turn again

import type { PooledUsage } from "../../core/pooled.ts";
import type { Verdict } from "../../core/verdict.ts";
import type { Shortage } from "../../upstream/shortage.ts";

/** The last reply of an upstream. */
export interface LastAnswer {
  readonly verdict: Verdict;
  readonly status: number | undefined;
  /** An event of a turn, or an HTTP response. */
  readonly form: "event" | "response";
}

export interface FinalAnswerFacts {
  readonly shortage: Shortage;
  readonly last: LastAnswer | undefined;
}

/** The answer to an HTTP request, or to a self-contained turn on a WebSocket. */
export type RequestAnswer = "as_received" | "refusal";

/** `spends`: the request uses quota. Other requests rarely fail because of the account. */
export function answerRequest({ shortage, last }: FinalAnswerFacts, spends: boolean): RequestAnswer {
  // The client must never get a 401, because it would try to renew a token that belongs to the pool.
  if (last === undefined || last.status === 401) return "refusal";
  switch (last.verdict.kind) {
    case "cool":
    case "elsewhere":
      return shortage.kind === "all_tried" || !spends ? "as_received" : "refusal";
    case "foreign_ciphertext":
      return isTrueOfAll(shortage) ? "as_received" : "refusal";
    default:
      return "refusal";
  }
}

/** The answer to a self-contained turn on a WebSocket. */
export function answerMessage(unserved: FinalAnswerFacts): RequestAnswer {
  const { last, shortage } = unserved;
  if (shortage.kind !== "all_tried") return "refusal";
  // Over WebSocket Codex waits only if an event names a time, as a refusal does.
  if (last?.verdict.kind === "cool" && !(last.verdict.isTimed && last.form === "event")) return "refusal";
  return answerRequest(unserved, true);
}

/** The answer to a turn on a WebSocket that no other account can take, because it refers to an earlier response. */
export type HandOverAnswer = "reconnect" | "as_received" | "cut" | "refusal";

/**
 * `tooManyHandovers`: the session was asked to reconnect too often without output. `hasEvent`: the upstream sent a
 * failure that can be forwarded.
 */
export function answerHandOver(
  shortage: Shortage,
  { tooManyHandovers, hasEvent }: { readonly tooManyHandovers: boolean; readonly hasEvent: boolean },
): HandOverAnswer {
  if (shortage.kind !== "all_tried" && shortage.kind !== "no_accounts") return "refusal";
  if (!tooManyHandovers) return "reconnect";
  return hasEvent ? "as_received" : "cut";
}

/** The answer to a handshake: the refusal with code `code`, or a 426 for the reason given. */
export type HandshakeAnswer = "refusal" | "main_limit_only" | "no_websocket";

/**
 * A limit and a pool without accounts are refused as over HTTP. In all other cases HTTP may still work. A 426 makes
 * Codex switch to HTTP immediately, without a notice; after any other answer it tries six times and shows a notice.
 */
export function answerHandshake(
  shortage: Shortage,
  code: string,
  { additional }: Pick<PooledUsage, "additional">,
): HandshakeAnswer {
  const isLimit = code === "usage_limit_reached";
  // A handshake does not name its model. A POST does.
  if (isLimit && additional.some(({ reached }) => !reached)) return "main_limit_only";
  const mayWork = shortage.kind === "all_tried" || shortage.kind === "all_full";
  return isLimit || !mayWork ? "refusal" : "no_websocket";
}

/** The answer to a failure after output. `canLeave`: whether another upstream has room for the turn. */
export function answerAfterOutput(verdict: Verdict, canLeave: () => boolean): "pass" | "cut" {
  switch (verdict.kind) {
    case "limit":
    case "disable":
    case "elsewhere":
    case "foreign_ciphertext":
      return canLeave() ? "cut" : "pass";
    case "cool":
      // Codex itself waits until the time that an event names.
      return verdict.isTimed && !canLeave() ? "pass" : "cut";
    case "renew":
      return "cut";
    case "ok":
    case "open":
    case "client":
      return "pass";
    default:
      return verdict satisfies never;
  }
}

// --- internal ---

/** True if every account was asked, so the history cannot belong to one that is cooling down or disabled. */
function isTrueOfAll({ kind, untilMs, disabled }: Shortage): boolean {
  return kind === "all_tried" && untilMs === undefined && disabled === 0;
}

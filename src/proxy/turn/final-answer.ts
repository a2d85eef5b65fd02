// How the client hears that its request was not served, for every transport. Pure: facts in, a decision out.
//
//   no upstream served it
//     the last reply is true of the whole pool     the client gets it as received
//     it is about one account only                 the client gets the pool's own refusal
//     over WebSocket, and only the client has      the client is asked to reconnect, and sends everything
//     what another account would need
//     a handshake                                  426, because over HTTP the client can be asked to wait
//   the turn fails after its first output          the event as received, or a cut, after which Codex keeps what is done
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

export interface Unserved {
  readonly shortage: Shortage;
  readonly last: LastAnswer | undefined;
}

/** The answer to an HTTP request, or to a turn on a WebSocket that any account could have taken. */
export type RequestAnswer = "as_received" | "refusal";

/** `spends`: the request uses the allowance. Other requests fail for reasons that are rarely about the account. */
export function answerRequest({ shortage, last }: Unserved, spends: boolean): RequestAnswer {
  // The client must never see a 401: it would renew a token that it does not have.
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

/** The answer to a turn on a WebSocket that any account could have taken. */
export function answerMessage(unserved: Unserved): RequestAnswer {
  const { last, shortage } = unserved;
  if (shortage.kind !== "all_tried") return "refusal";
  // Over WebSocket Codex waits only if an event names the time. A refusal names one.
  if (last?.verdict.kind === "cool" && !(last.verdict.isTimed && last.form === "event")) return "refusal";
  return answerRequest(unserved, true);
}

/** The answer to a turn on a WebSocket that no other account can take, because it refers to an earlier response. */
export type HandOverAnswer = "reconnect" | "as_received" | "cut" | "refusal";

/**
 * `handedOver`: the session was asked to reconnect too often without output. `hasEvent`: the upstream sent a failure
 * that can be passed on.
 */
export function answerHandOver(
  shortage: Shortage,
  { handedOver, hasEvent }: { readonly handedOver: boolean; readonly hasEvent: boolean },
): HandOverAnswer {
  if (shortage.kind === "all_exhausted" || shortage.kind === "all_disabled") return "refusal";
  if (!handedOver) return "reconnect";
  return hasEvent ? "as_received" : "cut";
}

/** The answer to a handshake: the refusal with code `code`, or a 426 for the reason given. */
export type HandshakeAnswer = "refusal" | "main_limit_only" | "no_websocket";

/**
 * A limit and a pool without accounts are refused as over HTTP. In all other cases HTTP may still work, and a 426 makes
 * Codex change over at once and in silence; any other answer costs it six tries and a notice.
 */
export function answerHandshake(
  shortage: Shortage,
  code: string,
  { additional }: Pick<PooledUsage, "additional">,
): HandshakeAnswer {
  const isLimit = code === "usage_limit_reached";
  // A handshake does not name its model. A POST does.
  if (isLimit && additional.some(({ reached }) => !reached)) return "main_limit_only";
  return isLimit || shortage.kind !== "all_tried" ? "refusal" : "no_websocket";
}

/** The answer to a failure after output. `canLeave`: whether another upstream has room and could go on. */
export function answerAfterOutput(verdict: Verdict, canLeave: () => boolean): "pass" | "cut" {
  switch (verdict.kind) {
    case "limit":
    case "disable":
    case "elsewhere":
    case "foreign_ciphertext":
      return canLeave() ? "cut" : "pass";
    case "cool":
      // Codex itself waits for the time that an event names.
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

/** True if the history cannot belong to an account that was not asked, because it rests or is disabled. */
function isTrueOfAll({ kind, untilMs, disabled }: Shortage): boolean {
  return kind === "all_tried" && untilMs === undefined && disabled === 0;
}

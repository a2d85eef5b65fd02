// Requests that the proxy itself sends to an upstream in the background, with the upstream's credentials. If the login
// is refused, it is renewed once.

import { type Answer, boundedFetch, type FetchBounds } from "../bounded-fetch.ts";
import { messageOf } from "../errors.ts";
import { egressProblem } from "../network/connect-problem.ts";
import { fetchOptions } from "../network/egress.ts";
import type { EventLog } from "../state/events.ts";
import type { Pool } from "./pool.ts";
import type { OutgoingRequest, PrepareResult, Upstream } from "./upstream.ts";

export interface AskContext {
  readonly pool: Pick<Pool, "note" | "disable">;
  readonly events: EventLog;
}

/** A GET request, or a POST of `json`. */
export interface Question extends Pick<OutgoingRequest, "path" | "search" | "headers" | "hops"> {
  readonly bounds: FetchBounds;
  /** The body of a POST request. */
  readonly json?: Readonly<Record<string, unknown>>;
  /** Changes the prepared URL. Default: unchanged. */
  readonly address?: (url: string) => string;
  /** Cancels the request. */
  readonly signal?: AbortSignal;
}

/** Sends `question` to `upstream`. Returns the response with any status, or why there is none. Never throws. */
export async function askUpstream(
  context: AskContext,
  upstream: Upstream,
  question: Question,
  mayRenew = true,
): Promise<Answer | string> {
  const { path, search, headers, hops, bounds, json, address = (url: string) => url, signal } = question;
  const method = json === undefined ? "GET" : "POST";
  let prepared: PrepareResult;
  try {
    prepared = await upstream.prepare({
      method,
      path,
      search,
      // A copy, because the upstream adds its own headers and the request may be sent again.
      headers: new Headers(headers),
      hops,
      attemptsLeft: 1,
    });
  } catch (error) {
    return messageOf(error);
  }
  if (prepared.kind === "unready") return prepared.why;
  const { url, token, egress } = prepared;
  try {
    const init = {
      ...fetchOptions(egress),
      headers: prepared.headers,
      method,
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      ...(signal === undefined ? {} : { signal }),
    };
    const answer = await boundedFetch(address(url), init, bounds);
    // A child proxy renews the logins of its accounts itself.
    if (answer.status !== 401 || !mayRenew || upstream.kind !== "account") return answer;
  } catch (error) {
    return egressProblem(error, url, egress);
  }
  return afterRenewal(context, upstream, question, token);
}

// --- internal ---

async function afterRenewal(
  context: AskContext,
  upstream: Upstream,
  question: Question,
  usedToken: string,
): Promise<Answer | string> {
  const renewal = await upstream.renew(usedToken);
  switch (renewal.kind) {
    case "renewed":
      context.pool.note(upstream.id, { kind: "renewed" });
      return askUpstream(context, upstream, question, false);
    case "dead":
      context.pool.disable(upstream.id, renewal.reason);
      return renewal.why;
    case "failed":
      context.events.append("account.auth_refresh_failed", { account_id: upstream.id, error: renewal.why });
      return renewal.why;
    default:
      return renewal satisfies never;
  }
}

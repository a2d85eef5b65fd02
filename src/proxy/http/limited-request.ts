// Requests over HTTP of a client whose key has limits.

import type { KeyLimits } from "../../core/key-limits.ts";
import { decodeBody, type RequestBody } from "../bodies.ts";
import type { IncomingRequest, ProxyContext } from "../context.ts";
import { mayHideTurnPath, onlyModelIn, refusedByKey, unclearPath } from "../key-limits.ts";
import { type Refusal, refusalOfError } from "../refusal.ts";
import type { RequestFacts } from "../session.ts";

/** The refusal of the request, if its key does not allow it. `turn`: undefined if it is none. */
export async function limitedRefusal(
  context: ProxyContext,
  incoming: IncomingRequest,
  { models }: KeyLimits,
  turn: { readonly facts: RequestFacts; readonly body: RequestBody } | undefined,
): Promise<Refusal | undefined> {
  if (turn === undefined) return mayHideTurnPath(incoming.path) ? refusalOfError(unclearPath()) : undefined;
  if (models === undefined) return refusedByKey(context, incoming, turn.facts.model, false);
  // The first model of the body is not enough: a backend may read another one.
  const text = await decodeBody(turn.body.content, incoming.request.headers.get("content-encoding"));
  return refusedByKey(context, incoming, text === undefined ? undefined : onlyModelIn(text), false);
}

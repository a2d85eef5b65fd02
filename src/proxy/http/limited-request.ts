// Requests over HTTP of a client whose key has limits.

import { type BodyContent, decodeBody } from "../bodies.ts";
import type { IncomingRequest, ProxyContext } from "../context.ts";
import { mayHideTurnPath, onlyModelIn, refusedByKey, unclearPath } from "../key-limits.ts";
import { type Refusal, refusalOfError } from "../refusal.ts";

/** The refusal of the request, if its key does not allow it. `model`: the only one that a turn names. */
export function limitedRefusal(
  context: ProxyContext,
  incoming: IncomingRequest,
  model: string | undefined,
  isTurn: boolean,
): Refusal | undefined {
  if (isTurn) return refusedByKey(context, incoming, model, false);
  return mayHideTurnPath(incoming.path) ? refusalOfError(unclearPath()) : undefined;
}

/**
 * The only model that the whole body names; undefined if it names none, or different ones. The first one is not enough,
 * because a backend may read another one.
 */
export async function onlyModelOf(
  { headers }: Pick<Request, "headers">,
  content: BodyContent,
): Promise<string | undefined> {
  const text = await decodeBody(content, headers.get("content-encoding"));
  return text === undefined ? undefined : onlyModelIn(text);
}

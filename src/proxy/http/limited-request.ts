// Requests over HTTP of a client whose key has limits.

import { type BodyContent, decodeBody } from "../bodies.ts";
import type { IncomingRequest, ProxyContext } from "../context.ts";
import { limitsOfClient, mayHideTurnPath, onlyModelIn, refusedByKey, unclearPath } from "../key-limits.ts";
import { type Refusal, refusalOfError } from "../refusal.ts";

/** What the request asks for: the first model that its body names, and whether it is a turn. */
interface Asked {
  readonly model: string | undefined;
  readonly isMessage: boolean;
  /** False for a turn that was counted before it waited. */
  readonly isCounted: boolean;
}

/** The refusal of the request, if its key does not allow it; undefined if it does, or has no limits. */
export async function limitedRefusal(
  context: ProxyContext,
  incoming: IncomingRequest,
  content: BodyContent,
  { model, isMessage, isCounted }: Asked,
): Promise<Refusal | undefined> {
  if (limitsOfClient(incoming) === undefined) return undefined;
  if (!isMessage) return mayHideTurnPath(incoming.path) ? refusalOfError(unclearPath()) : undefined;
  const isRestricted = limitsOfClient(incoming)?.models !== undefined;
  const only = isRestricted ? await onlyModelOf(incoming.request, content) : model;
  return refusedByKey(context, incoming, only, isCounted);
}

// --- internal ---

/**
 * The only model that the whole body names; undefined if it names none, or different ones. The first one is not enough,
 * because a backend may read another one.
 */
async function onlyModelOf(
  { headers }: Pick<Request, "headers">,
  content: BodyContent,
): Promise<string | undefined> {
  const text = await decodeBody(content, headers.get("content-encoding"));
  return text === undefined ? undefined : onlyModelIn(text);
}

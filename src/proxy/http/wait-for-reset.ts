// Lets a turn over HTTP wait for a reset. Nothing is sent to the client meanwhile, not even a response head: Codex waits
// for it as long as it takes, and afterwards the turn can still get any status.

import { type AttemptResult, attempt, type UnservedRequest } from "../attempts.ts";
import { type RequestBody, sizeOf } from "../bodies.ts";
import { originOf, type ProxyContext } from "../context.ts";
import type { Exchange } from "../exchange.ts";
import type { Refusal } from "../refusal.ts";
import type { Transport } from "../use-upstream.ts";
import type { TurnWait } from "../waiting-turns.ts";
import { limitedRefusal } from "./limited-request.ts";
import type { HttpReply } from "./send-http.ts";

/** `refused`: the client's key no longer allows the turn after its wait. */
export type WaitResult = AttemptResult<HttpReply> | { readonly kind: "refused"; readonly refusal: Refusal };

/** The outcome of the turn after its waits; `unserved` as it is if the turn must not wait. Throws what `attempt` throws. */
export async function afterWaiting(
  context: ProxyContext,
  exchange: Exchange,
  transport: Transport<HttpReply>,
  unserved: UnservedRequest<HttpReply>,
  body: RequestBody,
): Promise<WaitResult> {
  let wait: TurnWait | undefined;
  let outcome: AttemptResult<HttpReply> = unserved;
  while (outcome.kind === "unserved") {
    wait ??= waitOf(context, exchange, body);
    const waited = wait?.next();
    if (waited === undefined) break;
    // A reply that streams would keep its connection.
    outcome.last?.reply.abort();
    const end = await waited;
    if (end === "left") return { kind: "aborted" };
    if (end === "refuse") return { kind: "unserved", last: undefined, brokenWhy: undefined };
    const { incoming, facts } = exchange;
    const asked = { model: facts.model, isMessage: true, isCounted: false };
    const refusal = await limitedRefusal(context, incoming, body.content, asked);
    if (refusal !== undefined) return { kind: "refused", refusal };
    exchange.restart();
    outcome = await attempt(context, exchange, transport);
  }
  return outcome;
}

// --- internal ---

function waitOf(
  { pool, waiting }: ProxyContext,
  { incoming, facts: { session, model } }: Exchange,
  body: RequestBody,
): TurnWait | undefined {
  const { signal, tags } = incoming;
  const origin = originOf(incoming, session, model);
  const bytes = sizeOf(body.content);
  return waiting.waitFor({ incoming, origin, bytes, signal }, pool.shortage(session, model, tags));
}

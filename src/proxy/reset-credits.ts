// Answers Codex's requests about reset credits for the whole pool, and spends the credit that the user chooses in
// Codex. These requests are not forwarded, because an account does not know the credits of the others.

import { z } from "zod";
import { parseJson } from "../core/json.ts";
import type { RedeemResult } from "../core/redemption.ts";
import { CodexlbError } from "../errors.ts";
import { isRedeemPath, isResetCreditsPath } from "../upstream/paths.ts";
import type { PooledResets } from "../upstream/pooled-resets.ts";
import { type BodyContent, decodeBody } from "./bodies.ts";
import { adviceFor, type IncomingRequest, type ProxyContext } from "./context.ts";
import { pathForLog } from "./guard.ts";
import { errorResponse } from "./refusal.ts";

/** The response to a request about reset credits with the body `content`; undefined if `incoming` is another request. */
export async function resetCreditsResponse(
  { resets, events }: Pick<ProxyContext, "resets" | "events">,
  incoming: IncomingRequest,
  content: BodyContent,
): Promise<Response | undefined> {
  const { request, path, requestId, ended } = incoming;
  const { method } = request;
  const isList = (method === "GET" || method === "HEAD") && isResetCreditsPath(path);
  const isRedeem = method === "POST" && isRedeemPath(path);
  if (!isList && !isRedeem) return undefined;
  const response = isList
    ? Response.json(mayRead(incoming) ? listBody(resets, incoming.pinnedId) : NO_CREDITS)
    : await redeemResponse(resets, incoming, content);
  events.append("request.completed", { req_id: requestId, status: response.status, path: pathForLog(path) });
  ended();
  return response;
}

// --- internal ---

const NO_CREDITS = { credits: [], available_count: 0 };

/** Codex 0.171 has read the list before, so its requests name the credit. */
const Redeem = z.looseObject({
  redeem_request_id: z.string().trim().min(1).max(200),
  credit_id: z.string().nullish(),
});

/** False for the client of another person, who neither sees the accounts nor may spend their credits. */
function mayRead({ holder }: IncomingRequest): boolean {
  return holder?.readsAccounts ?? true;
}

function listBody(resets: PooledResets, onlyId: string | undefined) {
  const credits = resets.list(onlyId).map(({ alias, credit }) => ({
    id: credit.id,
    reset_type: "codex_rate_limits",
    status: "available",
    granted_at: new Date(credit.grantedAtMs).toISOString(),
    expires_at: credit.expiresAtMs === undefined ? null : new Date(credit.expiresAtMs).toISOString(),
    // Codex shows the title in its list, so the user sees which account would be reset.
    title: `${alias}: ${credit.title ?? "Full reset"}`,
    description: null,
  }));
  return { credits, available_count: resets.count(onlyId) ?? 0 };
}

async function redeemResponse(
  resets: PooledResets,
  incoming: IncomingRequest,
  content: BodyContent,
): Promise<Response> {
  const { request, pinnedId } = incoming;
  if (!mayRead(incoming))
    return errorResponse(
      new CodexlbError("path_refused", "this key can send turns but cannot spend reset credits", {
        next: `ask the owner of the proxy to run: ${adviceFor(incoming)("account redeem", "ALIAS")}`,
      }),
    );
  const text = await decodeBody(content, request.headers.get("content-encoding"));
  const asked = Redeem.safeParse(text === undefined ? undefined : parseJson(text));
  if (!asked.success)
    return errorResponse(
      new CodexlbError("invalid_request", "spending a reset credit: the body has no redeem_request_id", {
        next: 'send {"redeem_request_id": "UUID", "credit_id": "ID"}',
      }),
    );
  const { redeem_request_id: requestId, credit_id: creditId } = asked.data;
  const result = await resets.redeem({ requestId, creditId: creditId ?? undefined, onlyId: pinnedId });
  return result.kind === "failed" ? errorResponse(failure(result)) : Response.json(outcomeBody(result));
}

function outcomeBody(result: Exclude<RedeemResult, { kind: "failed" }>) {
  if (result.kind === "refused") return { code: result.why, windows_reset: 0 };
  return { code: result.repeated ? "already_redeemed" : "reset", windows_reset: result.windowsReset };
}

/** Codex then offers to try again with the same id. */
function failure({ why, isOpen }: Extract<RedeemResult, { kind: "failed" }>): CodexlbError {
  return isOpen
    ? new CodexlbError("redeem_uncertain", `spending a reset credit: ${why}; the outcome is unknown`, {
        next: "try again; the same request cannot spend a second credit",
      })
    : new CodexlbError("redeem_refused", `spending a reset credit: ${why}; none was spent`, {
        next: "try again in a moment",
      });
}

// Spends reset credits, one request at a time for each account. The request is on disk before it is sent, so neither a
// killed process nor a lost response can spend a second credit: an unfinished request is repeated with its id.

import type { RedeemRequest, ResetSpender } from "../auth/redeem-ops.ts";
import { parseJson } from "../core/json.ts";
import type { QuotaView } from "../core/quota.ts";
import {
  hasUse,
  RedeemAnswer,
  type RedeemCheck,
  type RedeemResult,
  unfinishedAt,
} from "../core/redemption.ts";
import { resetCreditsAt } from "../core/reset-credits.ts";
import type { AccountRecord } from "../state/account-record.ts";
import { noteReset, noteResets } from "../state/record-figures.ts";
import type { Store } from "../state/store.ts";
import { type AskContext, askUpstream } from "./ask-upstream.ts";
import type { Pool } from "./pool.ts";
import type { Refresher } from "./refresher.ts";
import {
  LONGEST_ANSWER_BYTES,
  RESET_CREDITS_PATH,
  type ResetCreditReader,
  resetCreditsUrl,
} from "./reset-credits.ts";

export interface RedeemerContext extends AskContext {
  readonly store: Pick<Store, "touch" | "flush">;
  readonly pool: AskContext["pool"] & Pick<Pool, "accountOf" | "view">;
  readonly refresher: Pick<Refresher, "refresh">;
  readonly resetCredits: Pick<ResetCreditReader, "read">;
  readonly settings: () => { readonly timeoutMs: number };
}

/** Codex gives up after 10 s. Requests were seen to take one second. */
const LONGEST_REQUEST_MS = 30_000;
/** Statuses after which a request may still have been carried out, or should be repeated. */
const OPEN_STATUSES: ReadonlySet<number> = new Set([401, 408, 425, 429]);

export function createRedeemer(context: RedeemerContext): ResetSpender {
  const { store, pool, refresher, resetCredits, events } = context;
  const running = new Set<string>();

  const save = (): void => {
    store.touch();
    store.flush();
  };

  /**
   * Reads figures and credits from after a reset at `sinceMs`. Requests that were already under way return older ones.
   */
  const readAgain = async (record: AccountRecord, sinceMs: number) => {
    await refresher.refresh(record);
    if (record.quotaSyncMs < sinceMs) await refresher.refresh(record);
    const read = await resetCredits.read(record);
    return typeof read !== "string" && read.asOfMs < sinceMs ? resetCredits.read(record) : read;
  };

  const check = async (record: AccountRecord, creditId?: string): Promise<RedeemCheck> => {
    const redemption = unfinishedAt(record.redemption, pool.view().nowMs);
    if (redemption !== undefined) return { kind: "unfinished", redemption };
    await refresher.refresh(record);
    const read = await resetCredits.read(record);
    const view: QuotaView = pool.view();
    // A list that cannot be read does not hide credits that the usage figures have just reported.
    const known = typeof read === "string" ? record.resetCredits : read;
    if (known === undefined || (typeof read === "string" && known.count === 0))
      return { kind: "failed", why: `its reset credits could not be read (${read})`, isOpen: false };
    const { count, credits } = resetCreditsAt(known, view.nowMs);
    const chosen = creditId ?? credits?.[0]?.id;
    const isGone = creditId !== undefined && credits?.every(({ id }) => id !== creditId) !== false;
    if (count === 0 || isGone) return { kind: "refused", why: "no_credit" };
    if (!hasUse(record.quota.main, view)) return { kind: "refused", why: "nothing_to_reset" };
    return { kind: "possible", creditId: chosen };
  };

  const redeem = async (record: AccountRecord, request: RedeemRequest): Promise<RedeemResult> => {
    const checked = await check(record, request.creditId);
    switch (checked.kind) {
      case "unfinished":
        return finish(record, request);
      case "possible":
        break;
      default:
        return checked;
    }
    if (request.isWanted?.() === false) return { kind: "refused", why: "unwanted" };
    request.noteSpending?.();
    const requestId = request.requestId ?? crypto.randomUUID();
    noteResets(record, {
      redemption: { requestId, creditId: checked.creditId, sinceMs: pool.view().nowMs },
    });
    try {
      save();
    } catch (error) {
      noteResets(record, { redemption: undefined });
      throw error;
    }
    return finish(record, request);
  };

  /** Sends the request of the record, and settles it once its outcome is known. */
  const finish = async (record: AccountRecord, { by }: RedeemRequest): Promise<RedeemResult> => {
    const named = { account_id: record.id, by };
    const sent = await send(context, record);
    if (sent.kind === "failed") {
      events.append("account.redeem_failed", { ...named, error: sent.why });
      if (!sent.isOpen) settle(record);
      return sent;
    }
    const { code, windows_reset: windowsReset } = sent.answer;
    switch (code) {
      case "reset":
      case "already_redeemed": {
        const { nowMs } = pool.view();
        noteReset(record, nowMs);
        settle(record);
        const read = await readAgain(record, nowMs);
        const problem = typeof read === "string" ? read : undefined;
        events.append("account.redeemed", {
          ...named,
          outcome: code,
          windows_reset: windowsReset,
          credits_left: record.resetCredits?.count,
        });
        return { kind: "reset", repeated: code === "already_redeemed", windowsReset, problem };
      }
      case "no_credit":
      case "nothing_to_reset":
        settle(record);
        events.append("account.redeem_failed", { ...named, error: code });
        await resetCredits.read(record);
        return { kind: "refused", why: code };
      default: {
        const why = `the backend answered with the unknown outcome ${JSON.stringify(code)}`;
        events.append("account.redeem_failed", { ...named, error: why });
        return { kind: "failed", why, isOpen: true };
      }
    }
  };

  const settle = (record: AccountRecord): void => {
    noteResets(record, { redemption: undefined });
    try {
      save();
    } catch {
      // The store writes again by itself. If the process ends before that, the request is repeated, which is safe.
    }
  };

  return {
    check,
    redeem: async (record, request) => {
      if (running.has(record.id))
        return {
          kind: "failed",
          why: "another request to spend one of its credits is under way",
          isOpen: false,
        };
      running.add(record.id);
      try {
        return await redeem(record, request);
      } finally {
        running.delete(record.id);
      }
    },
  };
}

// --- internal ---

type SendOutcome =
  | { readonly kind: "answered"; readonly answer: RedeemAnswer }
  | Extract<RedeemResult, { kind: "failed" }>;

async function send(context: RedeemerContext, record: AccountRecord): Promise<SendOutcome> {
  const upstream = context.pool.accountOf(record.id);
  const { redemption } = record;
  if (upstream === undefined || redemption === undefined)
    return { kind: "failed", why: "the account was removed", isOpen: false };
  const { requestId, creditId } = redemption;
  const answer = await askUpstream(context, upstream, {
    path: `${RESET_CREDITS_PATH}/consume`,
    search: "",
    headers: new Headers({ "content-type": "application/json" }),
    hops: [],
    json: { redeem_request_id: requestId, ...(creditId === undefined ? {} : { credit_id: creditId }) },
    bounds: {
      limitBytes: LONGEST_ANSWER_BYTES,
      timeoutMs: Math.min(LONGEST_REQUEST_MS, context.settings().timeoutMs),
    },
    address: resetCreditsUrl,
  });
  if (typeof answer === "string") return { kind: "failed", why: answer, isOpen: true };
  const { ok, status, text } = answer;
  if (!ok)
    return {
      kind: "failed",
      why: `the backend returned ${status}`,
      isOpen: status >= 500 || OPEN_STATUSES.has(status),
    };
  const parsed = RedeemAnswer.safeParse(parseJson(text));
  if (!parsed.success) return { kind: "failed", why: "the response has no outcome", isOpen: true };
  return { kind: "answered", answer: parsed.data };
}

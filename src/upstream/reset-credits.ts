// Reads the reset credits of accounts in the background. Their number is part of the usage figures; the list with their
// expiry is requested only after new usage figures, and only if the account has credits. Credits that cannot be read
// are unknown, which affects nothing else.

import { parseJson } from "../core/json.ts";
import { type ResetCredits, resetCountIn, resetCreditsIn } from "../core/reset-credits.ts";
import type { Clock } from "../deps.ts";
import type { AccountRecord } from "../state/account-record.ts";
import { noteResets } from "../state/record-figures.ts";
import type { Store } from "../state/store.ts";
import { type AskContext, askUpstream } from "./ask-upstream.ts";
import type { Pool } from "./pool.ts";

export interface ResetCreditReader {
  /**
   * Notes the number in the usage response `body` requested at `nowMs`, and reads the list if it is due. Never throws.
   */
  noteUsage(record: AccountRecord, body: unknown, nowMs: number): Promise<void>;
  /** Reads the list now. Returns it, or why it cannot be read. Never throws. */
  read(record: AccountRecord): Promise<ResetCredits | string>;
}

export interface ResetCreditContext extends AskContext {
  readonly deps: { readonly clock: Clock };
  readonly store: Pick<Store, "touch">;
  readonly pool: AskContext["pool"] & Pick<Pool, "accountOf">;
  readonly settings: () => { readonly timeoutMs: number };
}

/** The path of the list; the path to spend a credit is below it. */
export const RESET_CREDITS_PATH = "/wham/rate-limit-reset-credits";
/** Far more than a real list, which has a kilobyte for each credit. */
export const LONGEST_ANSWER_BYTES = 256 * 1024;

/** While the number stays the same, the list is requested at most this often, even after a failure. */
const LIST_AGE_MS = 3_600_000;

export function createResetCreditReader(context: ResetCreditContext): ResetCreditReader {
  const { deps, store, settings } = context;
  const { clock } = deps;
  /** For each account, the number of credits when the list was last requested, and when, monotonic ms. */
  const asked = new Map<string, { readonly count: number; readonly atMs: number }>();
  const asking = new Map<string, Promise<ResetCredits | string>>();

  const note = (record: AccountRecord, credits: ResetCredits): void => {
    noteResets(record, { resetCredits: credits });
    store.touch();
  };

  const request = async (record: AccountRecord): Promise<ResetCredits | string> => {
    const upstream = context.pool.accountOf(record.id);
    if (upstream === undefined) return "the account was removed";
    const nowMs = clock.now();
    const answer = await askUpstream(context, upstream, {
      path: RESET_CREDITS_PATH,
      search: "",
      headers: new Headers(),
      hops: [],
      bounds: { limitBytes: LONGEST_ANSWER_BYTES, timeoutMs: settings().timeoutMs },
      address: resetCreditsUrl,
    });
    if (typeof answer === "string") return answer;
    if (!answer.ok) return `the backend returned ${answer.status}`;
    const credits = resetCreditsIn(parseJson(answer.text), nowMs);
    if (credits === undefined) return "the response is not a list of reset credits";
    note(record, credits);
    return credits;
  };

  const read = (record: AccountRecord): Promise<ResetCredits | string> => {
    const running = asking.get(record.id);
    if (running !== undefined) return running;
    const started = request(record).finally(() => asking.delete(record.id));
    asking.set(record.id, started);
    return started;
  };

  return {
    read,
    noteUsage: async (record, body, nowMs) => {
      const count = resetCountIn(body);
      if (count === undefined) return;
      const known = record.resetCredits;
      const credits = count === 0 ? [] : known?.count === count ? known.credits : undefined;
      note(record, { count, credits, asOfMs: nowMs });
      if (count === 0) return;
      const last = asked.get(record.id);
      if (last?.count === count && clock.monotonic() - last.atMs < LIST_AGE_MS) return;
      asked.set(record.id, { count, atMs: clock.monotonic() });
      await read(record);
    },
  };
}

/** A backend without `/backend-api` in its base URL has these endpoints at another path. */
export function resetCreditsUrl(url: string): string {
  return url.includes("/backend-api/") ? url : url.replace("/wham/", "/api/codex/");
}

// An account with an OpenAI API key as an upstream: the last resort of the pool. Its turns cost money, so each one
// reserves what it may cost, and what it did cost counts against the account's monthly cap.

import { advised } from "../advice.ts";
import type { Credentials } from "../auth/auth-file.ts";
import { readCredentials } from "../auth/homes.ts";
import { rememberIdentity } from "../auth/identity.ts";
import type { SharedSpending } from "../cluster/shared-spending.ts";
import { estimatedUsd, withReserved, withSpent } from "../core/api-billing.ts";
import { MISSING_AUTH } from "../core/health.ts";
import { costUsd, highestPrice, type Price, type PriceTable, priceOf } from "../core/prices.ts";
import { judge } from "../core/verdict.ts";
import type { Clock } from "../deps.ts";
import { messageOf } from "../errors.ts";
import type { Outbound } from "../network/egress.ts";
import { type AccountRecord, optionsOf } from "../state/account-record.ts";
import { retireLogin, setBilling } from "../state/record-changes.ts";
import type { Store } from "../state/store.ts";
import { type Account, FAILS_OVER } from "./account.ts";
import { capacityOfAccount } from "./account-capacity.ts";
import { responsesPath } from "./paths.ts";
import type { TurnMeter } from "./upstream.ts";

export interface ApiAccountContext {
  readonly clock: Pick<Clock, "now">;
  readonly store: Pick<Store, "touch">;
  readonly outbound: Pick<Outbound, "toBackend">;
  /** The user's prices. */
  readonly prices: () => PriceTable;
  /** What other replicas spend with the same key. */
  readonly spending: SharedSpending;
}

/** `record` is the live record of the store. */
export function createApiAccount(record: AccountRecord, context: ApiAccountContext): Account {
  const { clock, store, outbound, prices, spending } = context;
  spending.counted(record);
  let kept: Credentials | undefined;

  const current = (): Credentials => {
    if (kept !== undefined) return kept;
    kept = readCredentials(record.homeDir);
    rememberIdentity(record, kept);
    return kept;
  };

  const change = (usd: { readonly spent?: number; readonly reserved?: number }): void => {
    const { billing } = record;
    if (billing === undefined) return; // the alias now belongs to a ChatGPT account
    const { spent = 0, reserved = 0 } = usd;
    const reservedNow = withReserved(billing, reserved);
    setBilling(record, spent === 0 ? reservedNow : withSpent(reservedNow, spent, clock.now()));
    store.touch();
    spending.counted(record);
  };

  const priceFor = (...models: readonly (string | undefined)[]): Price => {
    for (const model of models) {
      const price = model === undefined ? undefined : priceOf(model, prices());
      if (price !== undefined) return price;
    }
    // A turn of an unknown model is not free: it has the highest price.
    return highestPrice(prices());
  };

  const options: Account["options"] = (view) => optionsOf(record, view.fileOptions);

  return {
    id: record.id,
    label: record.alias,
    kind: "account",
    where: "the API",
    named: { account_id: record.id },
    failsOver: FAILS_OVER,
    judge,
    options,
    capacity: (view) => capacityOfAccount(record, view, options(view)),
    ownLimit: () => undefined,
    refuses: (model) => priceOf(model, prices()) === undefined,
    meter: ({ model, bytes }): TurnMeter => {
      const estimate = estimatedUsd(bytes, priceFor(model));
      let reserved = estimate;
      let spent = 0;
      let isCounted = false;
      const spend = (usd: number): void => {
        change({ spent: usd - spent, reserved: -reserved });
        spent = usd;
        reserved = 0;
      };
      change({ reserved });
      return {
        served: () => {
          if (!isCounted) spend(estimate);
        },
        used: (tokens, servedBy) => {
          isCounted = true;
          spend(costUsd(tokens, priceFor(servedBy, model)));
        },
        end: () => {
          if (reserved > 0) change({ reserved: -reserved });
          reserved = 0;
        },
      };
    },
    patienceMs: (configuredMs) => configuredMs,
    prepare: async ({ path, search, headers }) => {
      let credentials: Credentials;
      try {
        credentials = current();
      } catch (error) {
        return {
          kind: "unready",
          verdict: { kind: "disable", reason: MISSING_AUTH },
          why: messageOf(error),
        };
      }
      const { accessToken: token, apiBaseUrl: baseUrl } = credentials;
      const below = responsesPath(path);
      if (baseUrl === undefined || below === undefined)
        return {
          kind: "unready",
          verdict: { kind: "elsewhere", reason: "not-a-response" },
          why: baseUrl === undefined ? "its auth.json has no API key" : `an API key does not serve ${path}`,
        };
      headers.set("authorization", `Bearer ${token}`);
      for (const name of CHATGPT_HEADERS) headers.delete(name);
      const url = `${baseUrl}${below}${search}`;
      const egressNow = () => outbound.toBackend(url, record.outboundProxy);
      const egress = egressNow();
      return {
        kind: "ready",
        url,
        headers,
        egress,
        isEgressCurrent: () => egressNow().proxy === egress.proxy,
        token,
        plainBody: true,
      };
    },
    noteVerdict: () => {},
    retire: (reason) => {
      retireLogin(record, reason);
      return `replace the key with: ${advised("account add-key", record.alias, "--key-stdin")}`;
    },
    renew: async () => ({ kind: "dead", reason: "http-401", why: "an API key cannot be renewed" }),
    renewAhead: async () => undefined,
    forget: () => {
      kept = undefined;
      // It may be another key, with which the other replicas have spent a different amount.
      spending.counted(record);
    },
  };
}

// --- internal ---

/** Codex 0.171 sends these to ChatGPT and not to the API. */
const CHATGPT_HEADERS = ["chatgpt-account-id", "x-codex-routing-hint"] as const;

// The API key of a listed account: where it is sent, and what it has spent.

import { z } from "zod";
import { nextMonthMs, spentUsd } from "../core/api-billing.ts";
import type { AccountAnswer } from "../core/status-schema.ts";
import type { ListedAccount } from "./account-ops.ts";

/** In the form of the status; undefined for a ChatGPT account. */
export function listedApiKey({ codexlb }: ListedAccount, nowMs: number): AccountAnswer["api_key"] {
  const api = ListedApi.safeParse(codexlb.api).data;
  if (api === undefined) return undefined;
  const { base_url, month, spent_usd } = api;
  const { monthly_cap: cap_usd } = codexlb.options;
  return {
    base_url,
    spent_usd: spentUsd({ baseUrl: base_url, month, spentUsd: spent_usd, reservedUsd: 0 }, nowMs),
    reserved_usd: 0, // the stored amount includes it
    ...(cap_usd === undefined ? {} : { cap_usd }),
    reset_at: nextMonthMs(nowMs) / 1000,
  };
}

/** The base URL that the key is for; undefined for a ChatGPT account. */
export function listedBaseUrl({ codexlb }: ListedAccount): string | undefined {
  return ListedApi.safeParse(codexlb.api).data?.base_url;
}

// --- internal ---

const ListedApi = z.object({ base_url: z.string(), month: z.string(), spent_usd: z.number() });

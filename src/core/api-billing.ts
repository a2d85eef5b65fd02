// What an account with an OpenAI API key has spent in the current month, and what the turns in flight may add. Months
// begin at 00:00 UTC. Amounts are in USD. Pure.

import { costUsd, type Price } from "./prices.ts";

export interface ApiBilling {
  /** The API's base URL without a trailing slash: the key is only sent there. */
  readonly baseUrl: string;
  /** The month in which `spentUsd` was spent: `2026-11`; "" before the first turn. */
  readonly month: string;
  readonly spentUsd: number;
  /** The estimated cost of the turns in flight. */
  readonly reservedUsd: number;
}

/** The billing of a new key for `baseUrl`, with nothing spent. */
export function newBilling(baseUrl: string): ApiBilling {
  return { baseUrl, month: "", spentUsd: 0, reservedUsd: 0 };
}

/** What was spent in the month of `nowMs`. A later recorded month also counts: the clock may have been set back. */
export function spentUsd(billing: ApiBilling, nowMs: number): number {
  return isCurrent(billing, nowMs) ? billing.spentUsd : 0;
}

/** `billing` after `usd` were spent at `nowMs`. A negative amount corrects an earlier one. */
export function withSpent(billing: ApiBilling, usd: number, nowMs: number): ApiBilling {
  return {
    ...billing,
    month: isCurrent(billing, nowMs) ? billing.month : monthOf(nowMs),
    spentUsd: Math.max(0, spentUsd(billing, nowMs) + usd),
  };
}

/** `billing` with `usd` more reserved, or less if it is negative. */
export function withReserved(billing: ApiBilling, usd: number): ApiBilling {
  return { ...billing, reservedUsd: Math.max(0, billing.reservedUsd + usd) };
}

/** When the next month begins, Unix ms. */
export function nextMonthMs(nowMs: number): number {
  const now = new Date(nowMs);
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1);
}

/** The estimated cost of a turn whose request has `bytes`, if nothing is cached and the answer is short. */
export function estimatedUsd(bytes: number, price: Price): number {
  const input = Math.ceil(bytes / BYTES_PER_TOKEN);
  return costUsd({ input, cachedInput: 0, output: EXPECTED_OUTPUT }, price);
}

/**
 * The amount in USD in `text` ("20usd", "20 USD", "$20" or "20"); undefined if it is less than a cent, or not a whole
 * number of cents.
 */
export function usdIn(text: string): number | undefined {
  const [, digits] = /^\s*\$?\s*(\d{1,7}(?:\.\d{1,2})?)\s*(?:usd)?\s*$/i.exec(text) ?? [];
  const usd = digits === undefined ? 0 : Number(digits);
  return usd > 0 ? usd : undefined;
}

/** `3.20 USD`. */
export function usdText(usd: number): string {
  return `${usd.toFixed(2)} USD`;
}

/** `usd` without floating-point noise. */
export function roundedUsd(usd: number): number {
  return Math.round(usd * 1e6) / 1e6;
}

// --- internal ---

/** Text has about four bytes per token; a compressed request has fewer. */
const BYTES_PER_TOKEN = 2;
const EXPECTED_OUTPUT = 1_000;

function isCurrent({ month }: ApiBilling, nowMs: number): boolean {
  return month >= monthOf(nowMs);
}

function monthOf(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 7);
}

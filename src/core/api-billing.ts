// What an account with an OpenAI API key has spent in the current month, and what the turns in flight may add. Months
// begin at 00:00 UTC. Amounts are in USD. Pure.

import { costUsd, type Price } from "./prices.ts";
import { hasRoom } from "./replica-share.ts";

export interface ApiBilling {
  /** The API's base URL without a trailing slash: the key is only sent there. */
  readonly baseUrl: string;
  /** The month in which `spentUsd` was spent: `2026-11`; "" before the first turn. */
  readonly month: string;
  readonly spentUsd: number;
  /** The estimated cost of the turns in flight. */
  readonly reservedUsd: number;
  /** The use of the same key on the other replicas of a pool; undefined if the proxy works alone. */
  readonly elsewhere?: BillingElsewhere | undefined;
}

export interface BillingElsewhere {
  readonly month: string;
  /** What the other replicas have spent in the month. */
  readonly spentUsd: number;
  /** The estimated cost of their turns in flight. */
  readonly reservedUsd: number;
  /** What they know of the spending and the reservations of this one. */
  readonly seenUsd: number;
  /** How many replicas there are, with this one. */
  readonly replicas: number;
}

/** The billing of a new key for `baseUrl`, with nothing spent. */
export function newBilling(baseUrl: string): ApiBilling {
  return { baseUrl, month: "", spentUsd: 0, reservedUsd: 0 };
}

/**
 * What was spent in the month of `nowMs`, on all replicas. A later recorded month also counts: the clock may have been set
 * back.
 */
export function spentUsd(billing: ApiBilling, nowMs: number): number {
  return ownSpentUsd(billing, nowMs) + (currentElsewhere(billing, nowMs)?.spentUsd ?? 0);
}

/** The estimated cost of the turns in flight, on all replicas. */
export function reservedUsd({ reservedUsd: own, elsewhere }: ApiBilling): number {
  return own + (elsewhere?.reservedUsd ?? 0);
}

/** What was spent and reserved here. */
export function committedUsd(billing: ApiBilling): number {
  return billing.spentUsd + billing.reservedUsd;
}

/** True if a turn may cost something, with a cap of `capUsd`. Turns in flight on all replicas count. */
export function mayCost(billing: ApiBilling, capUsd: number, nowMs: number): boolean {
  const left = capUsd - spentUsd(billing, nowMs) - reservedUsd(billing);
  const own = ownSpentUsd(billing, nowMs) + billing.reservedUsd;
  const seen = currentElsewhere(billing, nowMs)?.seenUsd ?? 0;
  return hasRoom(left, Math.max(0, own - seen), billing.elsewhere?.replicas ?? 1);
}

/** `billing` after `usd` were spent at `nowMs`. A negative amount corrects an earlier one. */
export function withSpent(billing: ApiBilling, usd: number, nowMs: number): ApiBilling {
  return {
    ...billing,
    month: isCurrent(billing, nowMs) ? billing.month : monthOf(nowMs),
    spentUsd: Math.max(0, ownSpentUsd(billing, nowMs) + usd),
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

function ownSpentUsd(billing: ApiBilling, nowMs: number): number {
  return isCurrent(billing, nowMs) ? billing.spentUsd : 0;
}

function currentElsewhere({ elsewhere }: ApiBilling, nowMs: number): BillingElsewhere | undefined {
  return elsewhere !== undefined && isCurrent(elsewhere, nowMs) ? elsewhere : undefined;
}

function isCurrent({ month }: Pick<ApiBilling, "month">, nowMs: number): boolean {
  return month >= monthOf(nowMs);
}

function monthOf(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 7);
}

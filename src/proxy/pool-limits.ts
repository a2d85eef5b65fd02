// Edits rate-limit headers and events in replies, so that Codex sees the limits of the pool instead of one account's.
// Everything else passes byte for byte.

import { remembered } from "../core/bounded-map.ts";
import { headerValue } from "../core/bounds.ts";
import { balanceText, type PooledUsage, slotsOf, usedPercent } from "../core/pooled.ts";
import type { PooledLimit, PooledWindow } from "../core/pooled-limits.ts";
import { MAIN_LIMIT_ID } from "../core/quota.ts";
import { REACHED_TYPE } from "../core/quota-wire.ts";
import type { TurnSignal } from "../core/turn.ts";

/**
 * Clients read about a hundred headers of a response, and each limit takes seven. Real accounts have two or three
 * limits. The response of the usage endpoint contains all of them.
 */
const MOST_LIMITS_IN_HEADERS = 6;

/**
 * Replaces one account's rate-limit headers with the pool's, in place. Does not change replies without such headers.
 * Names and plans come from the backend; one that is not valid in a header is omitted.
 */
export function poolHeaders(headers: Headers, usage: () => PooledUsage): void {
  const names: string[] = [];
  headers.forEach((_value, name) => {
    if (isAccountHeader(name)) names.push(name);
  });
  if (names.length === 0) return;
  const pooled = pooledHeaders(usage());
  for (const name of names) if (!pooled.has(name)) headers.delete(name);
  for (const [name, value] of pooled) headers.set(name, value);
}

/**
 * The pool's version of an event about limits (`codex.rate_limits`, `token_count`, `event_msg`); undefined if the event
 * contains no limits, or a limit that the pool does not know.
 */
export function poolLimitsEvent(
  signal: Extract<TurnSignal, { kind: "quota" }>,
  usage: PooledUsage,
): string | undefined {
  const { event } = signal;
  // A repeated event is the same object, and so is a usage in which nothing has changed.
  const before = typeof event === "object" && event !== null ? writtenEvents.get(event) : undefined;
  if (before?.usage === usage) return before.json;
  const json = pooledEvent(signal, usage);
  if (typeof event === "object" && event !== null) writtenEvents.set(event, { usage, json });
  return json;
}

/** The pool's main limit as an event of the backend, `codex.rate_limits`, which commits a turn to nothing. */
export function mainLimitsEvent(usage: PooledUsage): string {
  return JSON.stringify({ type: "codex.rate_limits", ...limitsFields(usage.main, usage) });
}

// --- internal ---

const writtenEvents = new WeakMap<
  object,
  { readonly usage: PooledUsage; readonly json: string | undefined }
>();

function pooledEvent(
  { event, evidence }: Extract<TurnSignal, { kind: "quota" }>,
  usage: PooledUsage,
): string | undefined {
  const id = evidence && (evidence.additional[0]?.id ?? MAIN_LIMIT_ID);
  const limit = id === MAIN_LIMIT_ID ? usage.main : usage.additional.find((one) => one.id === id);
  if (limit === undefined || typeof event !== "object" || event === null || !("type" in event))
    return undefined;
  switch (event.type) {
    case "codex.rate_limits":
      return JSON.stringify({
        ...withoutAccountFields(event),
        ...("rate_limit_reached_type" in event ? { rate_limit_reached_type: usage.reachedType ?? null } : {}),
        ...limitsFields(limit, usage),
      });
    case "token_count":
      return JSON.stringify({ ...event, rate_limits: snapshot(limit, usage) });
    case "event_msg": {
      const payload = "payload" in event && typeof event.payload === "object" ? event.payload : {};
      return JSON.stringify({ ...event, payload: { ...payload, rate_limits: snapshot(limit, usage) } });
    }
    default:
      return undefined;
  }
}

/** The fields of `codex.rate_limits` that concern the pool. */
function limitsFields(limit: PooledLimit, usage: PooledUsage): Record<string, unknown> {
  return {
    plan_type: usage.planType,
    rate_limits: {
      allowed: !limit.reached,
      limit_reached: limit.reached,
      ...windowEvents(limit, "reset_at"),
    },
    credits: creditsEvent(usage) ?? { has_credits: false, unlimited: false, balance: null },
  };
}

/** The headers for the last usage. The usage is the same object as long as nothing in it changes. */
let known: { readonly usage: PooledUsage; readonly headers: ReadonlyMap<string, string> } | undefined;

function pooledHeaders(usage: PooledUsage): ReadonlyMap<string, string> {
  if (known?.usage === usage) return known.headers;
  const headers = new Map<string, string>();
  const { main, additional, planType, credits, reachedType } = usage;
  setLimit(headers, "x-codex", main);
  for (const limit of additional.slice(0, MOST_LIMITS_IN_HEADERS)) {
    const prefix = `x-${limit.id.toLowerCase().replaceAll("_", "-")}`;
    if (!/^[a-z0-9-]+$/.test(prefix)) continue;
    setLimit(headers, prefix, limit);
    setText(headers, `${prefix}-limit-name`, limit.name);
  }
  headers.set("x-codex-credits-has-credits", String(credits !== undefined));
  headers.set("x-codex-credits-unlimited", String(credits?.unlimited === true));
  if (credits !== undefined) headers.set("x-codex-credits-balance", balanceText(credits));
  headers.set("x-codex-active-limit", "codex");
  setText(headers, "x-codex-plan-type", planType);
  setText(headers, REACHED_TYPE, reachedType);
  known = { usage, headers };
  return headers;
}

const ACCOUNT_HEADER =
  /^x-codex-(?:credits-|active-limit$|promo-message$|plan-type$|rate-limit-reached-type$)|^x-.+-(?:primary|secondary)-(?:used-percent|window-minutes|reset-at|reset-after-seconds)$|^x-.+-(?:limit-name|primary-over-secondary-limit-percent)$/;

const isAccountHeader = remembered(512, (name) => ACCOUNT_HEADER.test(name));

function setText(headers: Map<string, string>, name: string, text: string | undefined): void {
  const value = text === undefined ? undefined : headerValue(text);
  if (value !== undefined) headers.set(name, value);
}

function setLimit(headers: Map<string, string>, prefix: string, limit: PooledLimit): void {
  for (const [side, window] of Object.entries(slotsOf(limit))) {
    if (window === undefined) continue;
    headers.set(`${prefix}-${side}-used-percent`, String(usedPercent(window, limit)));
    headers.set(`${prefix}-${side}-window-minutes`, String(minutes(window)));
    if (window.resetAtMs !== undefined)
      headers.set(`${prefix}-${side}-reset-at`, String(Math.floor(window.resetAtMs / 1000)));
  }
}

/** `primary` and `secondary` in event format; null for a window that the pool does not have. */
function windowEvents(limit: PooledLimit, resetKey: "reset_at" | "resets_at"): Record<string, unknown> {
  const event = (window: PooledWindow | undefined) =>
    window === undefined
      ? null
      : {
          used_percent: usedPercent(window, limit),
          window_minutes: minutes(window),
          ...(window.resetAtMs === undefined ? {} : { [resetKey]: Math.floor(window.resetAtMs / 1000) }),
        };
  const { primary, secondary } = slotsOf(limit);
  return { primary: event(primary), secondary: event(secondary) };
}

/** The limits in the format of Codex's own events. */
function snapshot(limit: PooledLimit, usage: PooledUsage): Record<string, unknown> {
  return {
    limit_id: limit.id,
    limit_name: limit.name ?? null,
    ...windowEvents(limit, "resets_at"),
    credits: creditsEvent(usage),
    plan_type: usage.planType,
    rate_limit_reached_type: usage.reachedType ?? null,
  };
}

/** `event` without the fields about one account for which the pool has no counterpart. */
function withoutAccountFields(event: object): object {
  return Object.fromEntries(
    Object.entries(event).filter(([name]) => name !== "additional_rate_limits" && name !== "spend_control"),
  );
}

function creditsEvent({ credits }: PooledUsage): Record<string, unknown> | null {
  return credits === undefined
    ? null
    : { has_credits: true, unlimited: credits.unlimited, balance: balanceText(credits) };
}

function minutes({ windowSeconds }: PooledWindow): number {
  return Math.round(windowSeconds / 60);
}

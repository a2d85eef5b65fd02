// How the backend reports quota: the usage endpoint, response headers, stream events and limit errors, read into
// `QuotaEvidence`. Reading never throws: a value that is not understood or not plausible is ignored.

import { LONGEST_NAME, MOST_LIMITS, shortText } from "./bounds.ts";
import {
  believable,
  type LimitQuota,
  MAIN_LIMIT_ID,
  type QuotaEvidence,
  type QuotaSource,
  type QuotaWindow,
  UNKNOWN_QUOTA,
  unknownLimit,
} from "./quota.ts";
import {
  type CreditsBody,
  EventMessage,
  isEmpty,
  RateLimitsEvent,
  type Slot,
  type Slots,
  TokenCount,
  UsageBody,
  type Window,
} from "./quota-shapes.ts";
import { type Credits, type Dated, type Spending, UNKNOWN_SPENDING } from "./spending.ts";
import { byKind } from "./windows.ts";

/** The header with the reason why nothing is left, if the reason is not a window. */
export const REACHED_TYPE = "x-codex-rate-limit-reached-type";

/** Anything with `get(name)`, such as a `Headers`. */
export interface HeaderReader {
  get(name: string): string | null;
  forEach(visit: (value: string, name: string) => void): void;
}

/** `GET …/wham/usage`. Undefined if the body is not a usage object. */
export function quotaFromUsage(body: unknown, nowMs: number): QuotaEvidence | undefined {
  const parsed = UsageBody.safeParse(body);
  if (!parsed.success) return undefined;
  const usage = parsed.data;
  const about = { source: "usage_api", nowMs } as const;
  const evidence: QuotaEvidence = {
    planType: usage.plan_type,
    main: limitOf(unknownLimit(MAIN_LIMIT_ID), slotsOfUsage(usage.rate_limit), about),
    additional: usage.additional_rate_limits
      .slice(0, MOST_LIMITS)
      .map((extra) => {
        const id = limitId(extra.metered_feature ?? extra.limit_name ?? "");
        const limit = { ...unknownLimit(id, extra.limit_name), model: extra.normal_model_slug };
        return limitOf(limit, slotsOfUsage(extra.rate_limit), about);
      })
      .filter((extra) => extra.id !== ""),
    spending: spendingOfUsage(usage, nowMs),
  };
  return believable(evidence, nowMs);
}

/** The `x-codex-*` headers (and `x-<limit>-*` of other limits). Undefined if there are none. */
export function quotaFromHeaders(headers: HeaderReader, nowMs: number): QuotaEvidence | undefined {
  const ids = new Set<string>();
  headers.forEach((_value, name) => {
    const match = ids.size < MOST_LIMITS ? LIMIT_HEADER.exec(name.toLowerCase()) : null;
    if (match?.[1] !== undefined) ids.add(match[1]);
  });
  const spending = spendingFromHeaders(headers, ids.size > 0, nowMs);
  if (ids.size === 0 && spending === UNKNOWN_SPENDING) return undefined;
  const limits = [...ids].map((id) =>
    limitOf(
      unknownLimit(limitId(id), headers.get(`x-${id}-limit-name`) ?? undefined),
      {
        primary: windowFromHeaders(headers, `x-${id}-primary`),
        secondary: windowFromHeaders(headers, `x-${id}-secondary`),
      },
      { source: "headers", nowMs },
    ),
  );
  const evidence: QuotaEvidence = {
    planType: headers.get("x-codex-plan-type") ?? undefined,
    main: limits.find((found) => found.id === MAIN_LIMIT_ID) ?? UNKNOWN_QUOTA.main,
    additional: limits.filter((found) => found.id !== MAIN_LIMIT_ID),
    spending,
  };
  return believable(evidence, nowMs);
}

/**
 * Reads an event about limits: `codex.rate_limits`, or Codex's own `token_count` (bare, or in an `event_msg`).
 * Undefined for any other event.
 */
export function quotaFromEvent(event: unknown, nowMs: number): QuotaEvidence | undefined {
  const reported = limitsOfEvent(event, nowMs);
  if (reported === undefined) return undefined;
  const { id, name, model, slots, planType, spending } = reported;
  const isMain = id === MAIN_LIMIT_ID;
  const limit = limitOf({ ...unknownLimit(id, isMain ? undefined : name), model }, slots, {
    source: "event",
    nowMs,
  });
  return believable(
    {
      planType,
      main: isMain ? limit : UNKNOWN_QUOTA.main,
      additional: isMain ? [] : [limit],
      spending,
    },
    nowMs,
  );
}

/** A time from the backend as Unix ms. Unix seconds, unless the number is so large that it must be milliseconds. */
export function epochMs(time: number): number {
  return time > 100_000_000_000 ? time : time * 1000;
}

/** Unix seconds of a time in ms; 0 when it is not known. */
export function unixSeconds(ms: number | undefined): number {
  return ms === undefined ? 0 : Math.floor(ms / 1000);
}

/** The id of a limit in one spelling. Sources differ: `codex-bengalfox` in headers, `codex_bengalfox` elsewhere. */
export function limitId(name: string): string {
  return shortText(name, LONGEST_NAME).trim().toLowerCase().replaceAll("-", "_");
}

// --- internal ---

interface ReportedLimits {
  readonly id: string;
  readonly name: string | undefined;
  readonly model: string | undefined;
  readonly planType: string | undefined;
  readonly slots: Slots;
  readonly spending: Spending;
}

function limitsOfEvent(event: unknown, nowMs: number): ReportedLimits | undefined {
  const own = RateLimitsEvent.safeParse(event);
  if (own.success) {
    const { rate_limits: slots, plan_type: planType, limit_name: name, metered_limit_name } = own.data;
    const id = limitId(metered_limit_name ?? name ?? MAIN_LIMIT_ID);
    const spending = spendingOfCredits(own.data.credits, nowMs);
    return { id, name, model: own.data.normal_model_slug, planType, slots, spending };
  }
  const wrapped = EventMessage.safeParse(event);
  const counted = TokenCount.safeParse(wrapped.success ? wrapped.data.payload : event);
  if (!counted.success) return undefined;
  const slots = counted.data.rate_limits;
  const { limit_id: id, limit_name: name, normal_model_slug: model, plan_type: planType } = slots;
  const spending = spendingOfCredits(slots.credits, nowMs);
  return { id: limitId(id ?? MAIN_LIMIT_ID), name, model, planType, slots, spending };
}

const LIMIT_HEADER = /^x-(.+)-(?:primary|secondary)-used-percent$/;

/** Adds the windows to `limit`. They count as complete unless one could not be read. */
function limitOf(
  limit: LimitQuota,
  slots: Slots,
  about: { readonly source: QuotaSource; readonly nowMs: number },
): LimitQuota {
  if (slots === undefined) return limit;
  const window = (from: Slot) => (from === "none" ? undefined : windowOf(from, about));
  const [primary, secondary] = [window(slots.primary), window(slots.secondary)];
  const isComplete =
    (slots.primary === "none" || primary !== undefined) &&
    (slots.secondary === "none" || secondary !== undefined);
  return {
    ...limit,
    windows: byKind(primary, secondary),
    completeAsOfMs: isComplete ? about.nowMs : 0,
  };
}

function windowOf(
  window: Window | undefined,
  { source, nowMs }: { readonly source: QuotaSource; readonly nowMs: number },
): QuotaWindow | undefined {
  const usedPercent = window === undefined ? undefined : usedPercentOf(window);
  if (window === undefined || usedPercent === undefined) return undefined;
  const minutes = window.window_minutes;
  return {
    usedPercent: Math.min(100, Math.max(0, usedPercent)),
    resetAtMs: resetOf(window, nowMs),
    windowSeconds: window.limit_window_seconds ?? (minutes === undefined ? undefined : minutes * 60),
    asOfMs: nowMs,
    source,
  };
}

function usedPercentOf(window: Window): number | undefined {
  if (window.used_percent !== undefined) return window.used_percent;
  const { used, limit: most } = window;
  return used !== undefined && most !== undefined && most > 0 ? (used / most) * 100 : undefined;
}

function resetOf(window: Window, nowMs: number): number | undefined {
  const seconds = window.reset_at ?? window.resets_at;
  if (seconds !== undefined && seconds > 0) return epochMs(seconds);
  const after = window.reset_after_seconds;
  return after !== undefined && after > 0 ? nowMs + after * 1000 : undefined;
}

function windowFromHeaders(headers: HeaderReader, prefix: string): Slot {
  const text = headers.get(`${prefix}-used-percent`);
  if (text === null) return "none";
  const used = numberOf(text);
  if (used === undefined) return undefined;
  const window = {
    used_percent: used,
    window_minutes: numberOf(headers.get(`${prefix}-window-minutes`)),
    reset_at: numberOf(headers.get(`${prefix}-reset-at`)),
  };
  return isEmpty(window) ? "none" : window;
}

function slotsOfUsage(limits: UsageBody["rate_limit"]): Slots {
  return limits ? { primary: limits.primary_window, secondary: limits.secondary_window } : undefined;
}

function spendingOfUsage(usage: UsageBody, nowMs: number): Spending {
  const { credits, spend_control: control, rate_limit_reached_type: type } = usage;
  const dated = <Value>(value: Value): Dated<Value> => ({ value, asOfMs: nowMs });
  const limit = control?.individual_limit;
  const left =
    limit?.remaining_percent ?? (limit?.used_percent === undefined ? undefined : 100 - limit.used_percent);
  const resetAt = limit?.reset_at ?? limit?.resets_at;
  return {
    ...spendingOfCredits(credits, nowMs),
    individual:
      control === undefined || control === null
        ? undefined
        : dated(
            left === undefined
              ? undefined
              : { remainingPercent: left, resetAtMs: resetAt === undefined ? undefined : epochMs(resetAt) },
          ),
    spendControl: typeof control?.reached === "boolean" ? dated(control.reached) : undefined,
    reachedType: dated(type ?? undefined),
  };
}

function spendingOfCredits(credits: CreditsBody, nowMs: number): Spending {
  if (typeof credits?.has_credits !== "boolean") return UNKNOWN_SPENDING;
  const value: Credits = {
    hasCredits: credits.has_credits && credits.overage_limit_reached !== true,
    unlimited: credits.unlimited === true,
    balance: credits.balance ?? 0,
  };
  return { ...UNKNOWN_SPENDING, credits: { value, asOfMs: nowMs } };
}

/** `withLimits`: the headers list limits, so a missing reached type means that there is none. */
function spendingFromHeaders(headers: HeaderReader, withLimits: boolean, nowMs: number): Spending {
  const has = flagOf(headers.get("x-codex-credits-has-credits"));
  const type = headers.get(REACHED_TYPE);
  const credits = {
    has_credits: has,
    unlimited: flagOf(headers.get("x-codex-credits-unlimited")),
    balance: numberOf(headers.get("x-codex-credits-balance")),
  };
  const spending = spendingOfCredits(credits, nowMs);
  if (type === null && !withLimits) return spending;
  return { ...spending, reachedType: { value: type ?? undefined, asOfMs: nowMs } };
}

function flagOf(text: string | null): boolean | undefined {
  const word = text?.trim().toLowerCase();
  return word === "true" || word === "1" ? true : word === "false" || word === "0" ? false : undefined;
}

function numberOf(text: string | null): number | undefined {
  if (text === null || text.trim() === "") return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

// How the backend tells quota: the usage endpoint, response headers, stream events and limit errors, read into
// `QuotaEvidence`. Reading never throws: a value that is not understood or not plausible is ignored.

import { z } from "zod";
import { LONGEST_NAME, MOST_LIMITS, shortText } from "./bounds.ts";
import {
  believable,
  type LimitQuota,
  MAIN_LIMIT_ID,
  type QuotaEvidence,
  type QuotaSource,
  type QuotaWindow,
  UNKNOWN_QUOTA,
} from "./quota.ts";

/** Anything with `get(name)`, such as a `Headers`. */
export interface HeaderReader {
  get(name: string): string | null;
  forEach(visit: (value: string, name: string) => void): void;
}

/** `GET …/wham/usage`. Undefined when the body is not a usage object. */
export function quotaFromUsage(body: unknown, nowMs: number): QuotaEvidence | undefined {
  const parsed = UsageBody.safeParse(body);
  if (!parsed.success) return undefined;
  const usage = parsed.data;
  const told = {
    planType: usage.plan_type,
    main: limit(MAIN_LIMIT_ID, undefined, usage.rate_limit, "usage_api", nowMs),
    additional: usage.additional_rate_limits
      .slice(0, MOST_LIMITS)
      .map((extra) =>
        limit(
          limitId(extra.metered_feature ?? extra.limit_name ?? ""),
          extra.limit_name,
          extra.rate_limit,
          "usage_api",
          nowMs,
        ),
      )
      .filter((extra) => extra.id !== ""),
  };
  return believable(told, nowMs);
}

/** The `x-codex-*` headers (and `x-<limit>-*` of other limits). Undefined when there are none. */
export function quotaFromHeaders(headers: HeaderReader, nowMs: number): QuotaEvidence | undefined {
  const ids = new Set<string>();
  headers.forEach((_value, name) => {
    const match = ids.size < MOST_LIMITS ? LIMIT_HEADER.exec(name.toLowerCase()) : null;
    if (match?.[1] !== undefined) ids.add(match[1]);
  });
  if (ids.size === 0) return undefined;
  const limits = [...ids].map((id) => ({
    id: limitId(id),
    name: headers.get(`x-${id}-limit-name`) ?? undefined,
    primary: windowFromHeaders(headers, `x-${id}-primary`, nowMs),
    secondary: windowFromHeaders(headers, `x-${id}-secondary`, nowMs),
  }));
  const told = {
    planType: headers.get("x-codex-plan-type") ?? undefined,
    main: limits.find((found) => found.id === MAIN_LIMIT_ID) ?? UNKNOWN_QUOTA.main,
    additional: limits.filter((found) => found.id !== MAIN_LIMIT_ID),
  };
  return believable(told, nowMs);
}

/**
 * An event that tells limits: `codex.rate_limits`, or Codex's own `token_count` (bare, or as an `event_msg`). Undefined
 * when it tells none.
 */
export function quotaFromEvent(event: unknown, nowMs: number): QuotaEvidence | undefined {
  const told = limitsOfEvent(event);
  if (told === undefined) return undefined;
  const { limits, planType, name } = told;
  const limit: LimitQuota = {
    id: told.id,
    name,
    primary: windowOf(limits.primary, "event", nowMs),
    secondary: windowOf(limits.secondary, "event", nowMs),
  };
  const evidence =
    told.id === MAIN_LIMIT_ID
      ? { planType, main: { ...limit, name: undefined }, additional: [] }
      : { planType, main: UNKNOWN_QUOTA.main, additional: [limit] };
  return believable(evidence, nowMs);
}

/** A time as the backend tells it, Unix seconds, as Unix ms; one that can only be milliseconds is taken as such. */
export function epochMs(told: number): number {
  return told > 100_000_000_000 ? told : told * 1000;
}

/** One limit has one id, however a source spells it (`codex-bengalfox` in headers, `codex_bengalfox` elsewhere). */
export function limitId(name: string): string {
  return shortText(name, LONGEST_NAME).trim().toLowerCase().replaceAll("-", "_");
}

// --- internal ---

const maybeName = z
  .string()
  .nullish()
  .catch(undefined)
  .transform((name) => name ?? undefined);

/** A field that is not a number counts as absent and does not affect the other fields. */
const figure = z.number().optional().catch(undefined);

const Window = z.looseObject({
  used_percent: figure,
  used: figure,
  limit: figure,
  limit_window_seconds: figure,
  window_minutes: figure,
  reset_at: figure,
  resets_at: figure,
  reset_after_seconds: figure,
});
type Window = z.infer<typeof Window>;
const maybeWindow = Window.nullish().catch(undefined);

const RateLimit = z.looseObject({
  primary_window: maybeWindow,
  secondary_window: maybeWindow,
});
type RateLimit = z.infer<typeof RateLimit>;

const UsageBody = z.looseObject({
  plan_type: z.string(),
  rate_limit: RateLimit.nullish().catch(undefined),
  additional_rate_limits: z
    .array(
      z.looseObject({
        limit_name: maybeName,
        metered_feature: maybeName,
        rate_limit: RateLimit.nullish().catch(undefined),
      }),
    )
    .nullish()
    .catch(undefined)
    .transform((list) => list ?? []),
});

const RateLimitsEvent = z.looseObject({
  type: z.literal("codex.rate_limits"),
  plan_type: maybeName,
  metered_limit_name: maybeName,
  limit_name: maybeName,
  rate_limits: z.looseObject({ primary: maybeWindow, secondary: maybeWindow }),
});

const Limits = z.looseObject({
  limit_id: maybeName,
  limit_name: maybeName,
  plan_type: maybeName,
  primary: maybeWindow,
  secondary: maybeWindow,
});
type Limits = z.output<typeof Limits>;

const TokenCount = z.looseObject({ type: z.literal("token_count"), rate_limits: Limits });
const EventMessage = z.looseObject({ type: z.literal("event_msg"), payload: TokenCount });

interface ToldLimits {
  readonly id: string;
  readonly name: string | undefined;
  readonly planType: string | undefined;
  readonly limits: Pick<Limits, "primary" | "secondary">;
}

function limitsOfEvent(event: unknown): ToldLimits | undefined {
  const own = RateLimitsEvent.safeParse(event);
  if (own.success) {
    const { rate_limits: limits, plan_type: planType, limit_name: name, metered_limit_name } = own.data;
    return { id: limitId(metered_limit_name ?? name ?? MAIN_LIMIT_ID), name, planType, limits };
  }
  const wrapped = EventMessage.safeParse(event);
  const counted = TokenCount.safeParse(wrapped.success ? wrapped.data.payload : event);
  if (!counted.success) return undefined;
  const limits = counted.data.rate_limits;
  const { limit_id: id, limit_name: name, plan_type: planType } = limits;
  return { id: limitId(id ?? MAIN_LIMIT_ID), name, planType, limits };
}

const LIMIT_HEADER = /^x-(.+)-(?:primary|secondary)-used-percent$/;

function limit(
  id: string,
  name: string | undefined,
  told: RateLimit | null | undefined,
  source: QuotaSource,
  nowMs: number,
): LimitQuota {
  return {
    id,
    name,
    primary: windowOf(told?.primary_window, source, nowMs),
    secondary: windowOf(told?.secondary_window, source, nowMs),
  };
}

function windowOf(
  told: Window | null | undefined,
  source: QuotaSource,
  nowMs: number,
): QuotaWindow | undefined {
  const usedPercent = told === null || told === undefined ? undefined : usedPercentOf(told);
  if (told === null || told === undefined || usedPercent === undefined) return undefined;
  const minutes = told.window_minutes;
  return {
    usedPercent: clampPercent(usedPercent),
    resetAtMs: resetOf(told, nowMs),
    windowSeconds: told.limit_window_seconds ?? (minutes === undefined ? undefined : minutes * 60),
    asOfMs: nowMs,
    source,
  };
}

function usedPercentOf(told: Window): number | undefined {
  if (told.used_percent !== undefined) return told.used_percent;
  if (told.limit === undefined || told.limit <= 0 || told.used === undefined) return undefined;
  return (told.used / told.limit) * 100;
}

function resetOf(told: Window, nowMs: number): number | undefined {
  const seconds = told.reset_at ?? told.resets_at;
  if (seconds !== undefined && seconds > 0) return epochMs(seconds);
  const after = told.reset_after_seconds;
  return after !== undefined && after > 0 ? nowMs + after * 1000 : undefined;
}

function windowFromHeaders(headers: HeaderReader, prefix: string, nowMs: number): QuotaWindow | undefined {
  const used = numberOf(headers.get(`${prefix}-used-percent`));
  if (used === undefined) return undefined;
  const minutes = numberOf(headers.get(`${prefix}-window-minutes`));
  const resetAt = numberOf(headers.get(`${prefix}-reset-at`));
  return {
    usedPercent: clampPercent(used),
    resetAtMs: resetAt === undefined ? undefined : epochMs(resetAt),
    windowSeconds: minutes === undefined ? undefined : minutes * 60,
    asOfMs: nowMs,
    source: "headers",
  };
}

function numberOf(text: string | null): number | undefined {
  if (text === null || text.trim() === "") return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

function clampPercent(value: number): number {
  return Math.min(100, Math.max(0, value));
}

// Enforces the limits of one key, and counts what it uses. Everything is in memory, so a request never waits for it; a
// turn that is let in allocates nothing.

import { allowsModel, type KeyLimitProblem, type KeyLimits, type KeyUse } from "../core/key-limits.ts";
import { startOfDay } from "../core/local-days.ts";
import { createMinuteCount } from "../core/minute-count.ts";
import type { Clock } from "../deps.ts";

/** What a key has used, as it is kept on disk. */
export interface KeptUse {
  /** When the day of `tokens` began, Unix ms. */
  readonly dayStartMs: number;
  readonly tokens: number;
  /** The turns of the last minute: how many seconds before the write, and how many. */
  readonly minute: readonly (readonly [number, number])[];
}

/** The limiter of a key stays the same object while the key exists, so that open connections see changed limits. */
export interface KeyLimiter {
  /** The limits in effect; undefined: none. */
  limits(): KeyLimits | undefined;
  setLimits(limits: KeyLimits | undefined): void;
  /** When the key expired, Unix ms; undefined if it is valid. */
  expiredMs(): number | undefined;
  /**
   * Counts a turn that may begin; otherwise returns why it may not. `model`: the only model that it names; undefined if
   * it names none, or several. `isCounted`: false for a request that only prepares a connection, and for a turn that was
   * counted before it waited. The limit of turns per minute does not apply to those.
   */
  begin(model: string | undefined, isCounted: boolean): KeyLimitProblem | undefined;
  /** Removes the last turn from the count, because its client was asked to send it again. */
  takeBack(): void;
  /** A turn used so many tokens. */
  spend(tokens: number): void;
  /** What the key has used; undefined while it has no limit. */
  use(): KeyUse | undefined;
  /** The use to be kept on disk; undefined if there is none that matters. */
  kept(): KeptUse | undefined;
}

export interface KeyLimiterOptions {
  readonly clock: Pick<Clock, "now" | "monotonic">;
  readonly limits: KeyLimits | undefined;
  /** What was kept on disk, and how long ago, ms. */
  readonly kept?: KeptUse | undefined;
  readonly keptAgoMs?: number | undefined;
  /** Called when something was counted. */
  readonly counted: () => void;
}

export function createKeyLimiter({
  clock,
  limits: first,
  kept,
  keptAgoMs = 0,
  counted,
}: KeyLimiterOptions): KeyLimiter {
  let limits = first;
  const ageSeconds = Math.max(0, Math.floor(keptAgoMs / 1_000));
  const minute = createMinuteCount(
    clock.monotonic(),
    kept?.minute.map(([age, count]) => [age + ageSeconds, count] as const),
  );
  let dayStartMs = startOfDay(clock.now());
  let dayEndMs = startOfDay(clock.now(), 1);
  let tokens = kept?.dayStartMs === dayStartMs ? kept.tokens : 0;

  /** Begins a new day, also if the clock was set back to another one. */
  const today = (nowMs: number): void => {
    if (nowMs >= dayStartMs && nowMs < dayEndMs) return;
    dayStartMs = startOfDay(nowMs);
    dayEndMs = startOfDay(nowMs, 1);
    tokens = 0;
  };

  const expiredMs = (): number | undefined => {
    const expiresMs = limits?.expiresMs;
    return expiresMs !== undefined && clock.now() >= expiresMs ? expiresMs : undefined;
  };

  return {
    limits: () => limits,
    setLimits: (next) => {
      limits = next;
    },
    expiredMs,
    begin: (model, isCounted) => {
      if (limits === undefined) return undefined;
      const { turnsPerMinute, tokensPerDay, models } = limits;
      const expired = expiredMs();
      if (expired !== undefined) return { kind: "expired", expiresMs: expired };
      if (models !== undefined && (model === undefined || !allowsModel(models, model)))
        return { kind: "model", model, models };
      if (tokensPerDay !== undefined) {
        today(clock.now());
        if (tokens >= tokensPerDay) return { kind: "tokens_per_day", tokensPerDay, resetMs: dayEndMs };
      }
      if (!isCounted) return undefined;
      const atMs = clock.monotonic();
      if (turnsPerMinute !== undefined && minute.within(atMs) >= turnsPerMinute) {
        const waitSeconds = minute.secondsUntilBelow(turnsPerMinute, atMs);
        return { kind: "rpm", turnsPerMinute, waitSeconds };
      }
      minute.add(atMs);
      counted();
      return undefined;
    },
    takeBack: () => {
      if (limits === undefined) return;
      minute.takeBack();
      counted();
    },
    spend: (used) => {
      if (limits === undefined || used === 0) return;
      today(clock.now());
      tokens += used;
      counted();
    },
    use: () => {
      if (limits === undefined) return undefined;
      today(clock.now());
      return {
        turnsLastMinute: minute.within(clock.monotonic()),
        tokensToday: tokens,
        dayEndsMs: dayEndMs,
      };
    },
    kept: () => {
      today(clock.now());
      const ages = minute.ages(clock.monotonic());
      return tokens === 0 && ages.length === 0 ? undefined : { dayStartMs, tokens, minute: ages };
    },
  };
}

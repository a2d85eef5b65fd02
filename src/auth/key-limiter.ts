// Enforces the limits of one key, and counts what it uses. Everything is in memory, so a request never waits for it; a
// turn that is let in allocates nothing. If replicas share the key, what it has used on the others counts as well.

import { allowsModel, type KeyLimitProblem, type KeyLimits, type KeyUse } from "../core/key-limits.ts";
import { startOfDay } from "../core/local-days.ts";
import { createMinuteCount } from "../core/minute-count.ts";
import type { Clock } from "../deps.ts";
import type { KeyShare, OwnKeyUse } from "./key-share.ts";

/** What a key has used, as it is kept on disk. */
export interface KeptUse {
  /** When the day of `tokens` began, Unix ms. */
  readonly dayStartMs: number;
  readonly tokens: number;
  /** The turns of the last minute: how many seconds before the write, and how many. */
  readonly minute: readonly (readonly [number, number])[];
  /** The most tokens that a turn has used; undefined if no turn has ended. */
  readonly largestTurn?: number | undefined;
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
   * it names none, or several. `isCounted`: false for a request that only prepares a connection, and for a turn that
   * was counted before it waited. The limit of turns per minute does not apply to those.
   */
  begin(model: string | undefined, isCounted: boolean): KeyLimitProblem | undefined;
  /** Removes the last turn from the count, because its client was asked to send it again. */
  takeBack(): void;
  /** A turn that `begin` allowed has begun. */
  turnBegan(): void;
  /** A turn has ended, and has used `tokens` tokens. */
  turnEnded(tokens: number): void;
  /** What the key has used, on all replicas; undefined while it has no limit. */
  use(): KeyUse | undefined;
  /** The use of this process to be kept on disk; undefined if there is none that matters. */
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
  /**
   * Opens the share of what the replicas of a pool have used. `own`: what this one has. Default: there are no others.
   */
  readonly shareOf?: ((own: () => OwnKeyUse | undefined) => KeyShare) | undefined;
}

export function createKeyLimiter({
  clock,
  limits: first,
  kept,
  keptAgoMs = 0,
  counted: written,
  shareOf,
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
  let largestTurn = kept?.largestTurn ?? 0;
  let inFlight = 0;
  let turns = 0;

  /** Begins a new day, also if the clock was set back to another one. */
  const today = (nowMs: number): void => {
    if (nowMs >= dayStartMs && nowMs < dayEndMs) return;
    dayStartMs = startOfDay(nowMs);
    dayEndMs = startOfDay(nowMs, 1);
    tokens = 0;
  };

  const own = (): OwnKeyUse | undefined => {
    if (limits === undefined) return undefined;
    today(clock.now());
    const ages = minute.ages(clock.monotonic());
    return { limits, dayStartMs, dayEndMs, tokens, largestTurn, inFlight, turns, minute: ages };
  };

  const share = shareOf?.(own);
  const counted = (): void => {
    written();
    share?.counted();
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
        const left = tokensPerDay - tokens - (share?.tokens() ?? 0);
        if (left <= 0) return { kind: "tokens_per_day", tokensPerDay, resetMs: dayEndMs };
        if (isCounted && share?.mayUseTokens(left) === false)
          return { kind: "tokens_unsure", tokensPerDay, waitSeconds: UNSURE_SECONDS };
      }
      if (!isCounted) return undefined;
      const atMs = clock.monotonic();
      if (turnsPerMinute !== undefined) {
        const left = turnsPerMinute - minute.within(atMs) - (share?.turns() ?? 0);
        if (left <= 0) {
          const waitSeconds = (share ?? minute).secondsUntilBelow(turnsPerMinute, atMs);
          return { kind: "rpm", turnsPerMinute, waitSeconds };
        }
        if (share?.mayBegin(left) === false) return { kind: "rpm_unsure", turnsPerMinute, waitSeconds: 1 };
      }
      minute.add(atMs);
      turns++;
      counted();
      return undefined;
    },
    takeBack: () => {
      if (limits === undefined) return;
      minute.takeBack();
      counted();
    },
    turnBegan: () => {
      inFlight++;
      share?.counted();
    },
    turnEnded: (used) => {
      inFlight--;
      if (limits === undefined || used === 0) return share?.counted();
      today(clock.now());
      tokens += used;
      largestTurn = Math.max(largestTurn, used);
      counted();
    },
    use: () => {
      if (limits === undefined) return undefined;
      today(clock.now());
      return {
        turnsLastMinute: minute.within(clock.monotonic()) + (share?.turns() ?? 0),
        tokensToday: tokens + (share?.tokens() ?? 0),
        dayEndsMs: dayEndMs,
      };
    },
    kept: () => {
      today(clock.now());
      const ages = minute.ages(clock.monotonic());
      if (tokens === 0 && ages.length === 0) return undefined;
      return { dayStartMs, tokens, minute: ages, ...(largestTurn === 0 ? {} : { largestTurn }) };
    },
  };
}

// --- internal ---

/** After this time a client may try again, s. By then, turns in flight may have ended. */
const UNSURE_SECONDS = 10;

// What client keys have used on all replicas. Each replica shows what a key has used there, and the others count it.

import { z } from "zod";
import type { KeyShare, KeyShares, OwnKeyUse } from "../auth/key-share.ts";
import { createMinuteCount, type MinuteCount, secondsUntilFewer } from "../core/minute-count.ts";
import { hasRoom, isNews } from "../core/replica-share.ts";
import type { Clock } from "../deps.ts";
import { createCounters } from "./counters.ts";
import type { Signal, SignalKind, Signals } from "./signals.ts";

export interface KeySharesContext {
  readonly clock: Pick<Clock, "now" | "monotonic" | "after">;
  readonly signals: Pick<Signals, "put" | "watch">;
  /** The id of this replica. */
  readonly replica: string;
  /** How many replicas this one knows, with itself. */
  readonly replicas: () => number;
  /** True while the others cannot be heard. */
  readonly isCutOff: () => boolean;
}

/** Assumed for a turn of a key before any has ended: more than most turns use. */
const FIRST_TURN_TOKENS = 400_000;
/** Turns in flight on a replica that is not heard for this time do not count any more, ms. */
export const IN_FLIGHT_MS = 45_000;

export interface OpenKeyShares extends KeyShares {
  /** Sends everything that was counted with the next signals. */
  flush(): void;
}

export function createKeyShares(context: KeySharesContext): OpenKeyShares {
  const { clock, signals, replica, replicas, isCutOff } = context;
  const open = new Map<string, () => OwnKeyUse | undefined>();
  /** What the other replicas have used, by key and replica. */
  const elsewhere = new Map<string, readonly UseElsewhere[]>();

  const counters = createCounters<ShownUse>({
    clock,
    signals,
    kind: KEY_USE,
    replica,
    own: (id) => {
      const own = open.get(id)?.();
      return own && shownUse(own, clock.now());
    },
    isPassing: ({ in_flight }) => in_flight > 0,
    received: (id) => {
      elsewhere.set(
        id,
        [...counters.others(id).values()].map((signal) => useElsewhere(signal, clock)),
      );
      // What this replica has used may be news now that less is left.
      const own = open.get(id)?.();
      if (own !== undefined && hasNews(id, own)) counters.changed(id, true);
    },
  });

  const tokens = (id: string): number => {
    const nowMs = clock.now();
    let sum = 0;
    for (const { use } of elsewhere.get(id) ?? NONE)
      if (use.day_start_ms <= nowMs && nowMs < use.day_end_ms) sum += use.tokens;
    return sum;
  };

  const turns = (id: string): number => {
    const atMs = clock.monotonic();
    let sum = 0;
    for (const { minute } of elsewhere.get(id) ?? NONE) sum += minute.within(atMs);
    return sum;
  };

  const inFlight = (id: string): number => {
    const atMs = clock.monotonic();
    let sum = 0;
    for (const { use, heardMs } of elsewhere.get(id) ?? NONE)
      if (isCutOff() || atMs - heardMs < IN_FLIGHT_MS) sum += use.in_flight;
    return sum;
  };

  /** The most tokens that a turn of the key has used anywhere. */
  const largestTurn = (id: string, own: OwnKeyUse): number => {
    let most = own.largestTurn;
    for (const { use } of elsewhere.get(id) ?? NONE) most = Math.max(most, use.largest_turn);
    return most === 0 ? FIRST_TURN_TOKENS : most;
  };

  /** The tokens since `before`, with those that the turns in flight may use. */
  const tokensSince = (before: ShownUse | undefined, id: string, own: OwnKeyUse): number => {
    const ended = own.tokens - (before?.day_start_ms === own.dayStartMs ? before.tokens : 0);
    const begun = (own.inFlight - (before?.in_flight ?? 0)) * largestTurn(id, own);
    return Math.max(0, ended + begun);
  };

  /** True if the others should know soon what was counted since this replica last showed it. */
  const hasNews = (id: string, own: OwnKeyUse): boolean => {
    const { tokensPerDay, turnsPerMinute } = own.limits;
    const shown = counters.shown(id);
    const count = replicas();
    return (
      (tokensPerDay !== undefined &&
        isNews(tokensPerDay - own.tokens - tokens(id), tokensSince(shown, id, own), count)) ||
      (turnsPerMinute !== undefined &&
        isNews(turnsPerMinute - turnsIn(own) - turns(id), turnsSince(shown, own), count))
    );
  };

  const shareOf = (id: string, read: () => OwnKeyUse | undefined): KeyShare => ({
    tokens: () => tokens(id),
    turns: () => turns(id),
    mayUseTokens: (left) => {
      const own = read();
      if (own === undefined) return true;
      const reserved = (own.inFlight + inFlight(id)) * largestTurn(id, own);
      return hasRoom(left - reserved, tokensSince(counters.seen(id), id, own), replicas());
    },
    mayBegin: (left) => {
      const own = read();
      return own === undefined || hasRoom(left, turnsSince(counters.seen(id), own), replicas());
    },
    secondsUntilBelow: (most, atMs) =>
      secondsUntilFewer(most, [
        ...(read()?.minute ?? []),
        ...(elsewhere.get(id) ?? NONE).flatMap(({ minute }) => minute.ages(atMs)),
      ]),
    counted: () => {
      const own = read();
      if (own !== undefined) counters.changed(id, hasNews(id, own));
    },
  });

  return {
    open: (id, own) => {
      open.set(id, own);
      const kept = own();
      // The engine may have lost what was counted before the start of this process.
      if (kept !== undefined && kept.tokens + turnsIn(kept) > 0) counters.changed(id, true);
      return shareOf(id, own);
    },
    close: (id) => void open.delete(id),
    flush: counters.flush,
  };
}

// --- internal ---

const NONE: readonly UseElsewhere[] = [];

/** The turns of the last minute that began since `before`. */
function turnsSince(before: ShownUse | undefined, own: OwnKeyUse): number {
  return Math.min(turnsIn(own), own.turns - (before?.turns ?? 0));
}

/** The turns of the last minute. */
function turnsIn({ minute }: OwnKeyUse): number {
  return minute.reduce((sum, [, turns]) => sum + turns, 0);
}

/** What a key has used on one replica, as it shows that to the others. */
type ShownUse = z.output<typeof ShownUse>;
const ShownUse = z.object({
  /** When this was the state, Unix ms. */
  at_ms: z.number(),
  day_start_ms: z.number(),
  day_end_ms: z.number(),
  tokens: z.number().nonnegative(),
  largest_turn: z.number().nonnegative(),
  in_flight: z.number().nonnegative(),
  turns: z.number(),
  minute: z.array(z.tuple([z.number().nonnegative(), z.number().nonnegative()])),
});

const KEY_USE: SignalKind<ShownUse> = {
  kind: "key-use",
  schema: ShownUse,
  shift: (use, byMs) => ({
    ...use,
    at_ms: use.at_ms + byMs,
    day_start_ms: use.day_start_ms + byMs,
    day_end_ms: use.day_end_ms + byMs,
  }),
  // Longer than any day.
  lifetimeMs: 26 * 3_600_000,
  delayMs: 0,
};

interface UseElsewhere {
  readonly use: ShownUse;
  readonly minute: MinuteCount;
  /** When the replica was in this state, monotonic ms. */
  readonly heardMs: number;
}

function shownUse(own: OwnKeyUse, nowMs: number): ShownUse {
  return {
    at_ms: nowMs,
    day_start_ms: own.dayStartMs,
    day_end_ms: own.dayEndMs,
    tokens: own.tokens,
    largest_turn: own.largestTurn,
    in_flight: own.inFlight,
    turns: own.turns,
    minute: own.minute.map(([age, count]) => [age, count]),
  };
}

function useElsewhere({ value }: Signal<ShownUse>, clock: Pick<Clock, "now" | "monotonic">): UseElsewhere {
  const ageMs = Math.max(0, clock.now() - value.at_ms);
  const ageSeconds = Math.floor(ageMs / 1_000);
  return {
    use: value,
    minute: createMinuteCount(
      clock.monotonic(),
      value.minute.map(([age, count]) => [age + ageSeconds, count] as const),
    ),
    heardMs: clock.monotonic() - ageMs,
  };
}

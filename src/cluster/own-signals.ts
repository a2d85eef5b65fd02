// The signals of this replica: those that wait to be sent, and those that it sends again if the engine loses them.

import { BoundedMap } from "../core/bounded-map.ts";
import type { Clock } from "../deps.ts";
import type { Sealer } from "./sealing.ts";
import type { NewSignal } from "./signal-records.ts";
import { SIGNALS_AT_ONCE } from "./signal-scripts.ts";
import type { SignalKind } from "./signals.ts";

/** Signals are named by their kind and name. Times of the engine are in ms. */
export interface OwnSignals {
  /** Returns false if the engine has this value already. `atMs`: default now. */
  put<T>(kind: SignalKind<T>, fullName: string, value: T, atMs: number | undefined): boolean;
  /** Another replica has sent a signal of this name at `atMs`. Returns false if that of this replica is newer. */
  yields(fullName: string, atMs: number, aheadMs: number): boolean;
  /** Returns the next signals to send, by name. `aheadMs`: how far the engine's clock is ahead. */
  batch(aheadMs: number): Map<string, OutgoingSignal>;
  /** These must be sent again. */
  sendAgain(fullNames: Iterable<string>): void;
  hasUnsent(): boolean;
  /** The signals that were sent and are kept. */
  sent(): readonly SentSignal[];
}

export interface OutgoingSignal {
  readonly kind: SignalKind<unknown>;
  /** With the times of this replica. */
  readonly value: unknown;
  readonly record: NewSignal;
}

export interface SentSignal {
  readonly fullName: string;
  readonly tag: string;
  /** True until another value replaces it. */
  isKept(): boolean;
}

/** The names of sealed signals begin with it, so none is taken for a fact. */
export const SIGNAL_PREFIX = "signal/";

/** Signals that a replica keeps, the latest ones. Each needs less than 1 KB. */
const MOST_OWN = 10_000;

interface OwnSignal {
  readonly kind: SignalKind<unknown>;
  readonly value: unknown;
  readonly text: string;
  readonly atMs: number;
  /** True if it reflects all that this replica knew when it was put. */
  readonly isNow: boolean;
  /** Monotonic. */
  readonly endsMs: number;
  /** Undefined before it was sent, like `engineMs`. */
  tag?: string;
  /** Its source time by the engine's clock. */
  engineMs?: number;
}

export function createOwnSignals(clock: Clock, sealer: Sealer): OwnSignals {
  const own = new Map<string, OwnSignal>();
  const unsent = new Set<string>();
  /** The source times of the last signals of other replicas and of this one, by the engine's clock. */
  const heardMs = new BoundedMap<string, number>(MOST_OWN);
  const sentMs = new BoundedMap<string, number>(MOST_OWN);

  const forget = (name: string): void => {
    own.delete(name);
    unsent.delete(name);
  };

  /**
   * The clocks are compared with a small error, so a time alone could make a signal older than the one before it, or
   * than one that this replica knew when it was put.
   */
  const engineMsOf = (name: string, { atMs, isNow }: OwnSignal, aheadMs: number): number =>
    Math.max(
      Math.round(atMs + aheadMs),
      (sentMs.get(name) ?? 0) + 1,
      isNow ? (heardMs.get(name) ?? 0) + 1 : 0,
    );

  return {
    put: (kind, name, value, atMs) => {
      const text = JSON.stringify(value);
      const nowMs = clock.monotonic();
      const before = own.get(name);
      if (before?.text === text && before.endsMs - nowMs > kind.lifetimeMs / 2) return false;
      own.delete(name);
      own.set(name, {
        kind: kind as SignalKind<unknown>,
        value,
        text,
        atMs: atMs ?? clock.now(),
        isNow: atMs === undefined,
        endsMs: nowMs + kind.lifetimeMs,
      });
      const oldest = own.size > MOST_OWN ? own.keys().next().value : undefined;
      if (oldest !== undefined) forget(oldest);
      unsent.add(name);
      return true;
    },
    yields: (name, atMs, aheadMs) => {
      heardMs.set(name, Math.max(atMs, heardMs.get(name) ?? 0));
      const mine = own.get(name);
      if (
        mine !== undefined &&
        (mine.engineMs ?? engineMsOf(name, { ...mine, isNow: false }, aheadMs)) > atMs
      )
        return false;
      forget(name);
      return true;
    },
    batch: (aheadMs) => {
      const signals = new Map<string, OutgoingSignal>();
      for (const name of unsent) {
        if (signals.size === SIGNALS_AT_ONCE) break;
        unsent.delete(name);
        const signal = own.get(name);
        if (signal === undefined) continue;
        const lifetimeMs = Math.round(signal.endsMs - clock.monotonic());
        if (lifetimeMs <= 0) {
          own.delete(name);
          continue;
        }
        const { kind, value } = signal;
        const shifted = kind.shift?.(value, aheadMs) ?? value;
        const fact = { name: SIGNAL_PREFIX + name, value: JSON.stringify(shifted) };
        // Computed each time, because it depends on the key of the pool, which may have changed.
        signal.tag = sealer.tagOf(fact.name);
        signal.engineMs ??= engineMsOf(name, signal, aheadMs);
        const atMs = signal.engineMs;
        sentMs.set(name, atMs);
        const record = { tag: signal.tag, atMs, lifetimeMs, sealed: sealer.seal(fact, atMs) };
        signals.set(name, { kind, value, record });
      }
      return signals;
    },
    sendAgain: (names) => {
      for (const name of names) if (own.has(name)) unsent.add(name);
    },
    hasUnsent: () => unsent.size > 0,
    sent: () =>
      [...own].flatMap(([fullName, signal]) =>
        signal.tag === undefined
          ? []
          : [{ fullName, tag: signal.tag, isKept: () => own.get(fullName) === signal }],
      ),
  };
}

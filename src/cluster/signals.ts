// Signals: what a replica notices and the others should know soon, such as the cooldown of an account. A signal is
// rebuildable, so it has a lifetime and is never waited for. Facts (facts.ts) are what must not be lost.

import type { z } from "zod";

/** One kind of signals. All replicas of a version have the same kinds. */
export interface SignalKind<T> {
  /** Without a slash. A signal is identified by its kind and its name. */
  readonly kind: string;
  /**
   * What the others can read. A value that does not fit, from a later version of codexlb, is ignored with a warning.
   */
  readonly schema: z.ZodType<T>;
  /**
   * Moves all times in a value by `byMs`, because the clocks of replicas differ. Default: the value contains no times.
   */
  readonly shift?: (value: T, byMs: number) => T;
  /** How long the engine keeps a signal, ms. */
  readonly lifetimeMs: number;
  /** How long a signal may wait for others, so that they are sent together, ms; 0: as soon as possible. */
  readonly delayMs: number;
}

/** A signal of another replica. Times are converted to the clock of this one. */
export interface Signal<T> {
  readonly name: string;
  readonly value: T;
  /** When the source noticed it, Unix ms. */
  readonly atMs: number;
  /** When its lifetime ends, Unix ms. */
  readonly endsMs: number;
  /** The id of the replica that sent it. */
  readonly replica: string;
}

/** What `Signals.watch` was called with. */
export interface SignalWatcher<T> {
  readonly kind: SignalKind<T>;
  readonly apply: (signal: Signal<T>) => void;
  readonly sent: ((name: string, value: T) => void) | undefined;
}

export interface Signals {
  /**
   * Sends a value to the other replicas, in the background. It replaces that of the same kind and name, unless another
   * replica has sent a newer one. An unchanged value is sent again only in the second half of its lifetime. If the
   * engine cannot be used, the latest value of each name is kept and sent later. `atMs`: when it was noticed, Unix ms;
   * default: now. Never throws.
   */
  put<T>(kind: SignalKind<T>, name: string, value: T, atMs?: number): void;
  /**
   * Calls `apply` with each signal of the kind that another replica sends, and after a connection with those that the
   * engine has. May repeat a signal. Call it before the first connection. `apply` must not throw, and must not send
   * what it gets. `sent` is called with the name and the value of each signal of this replica that the engine has
   * taken; it must not throw either.
   */
  watch<T>(
    kind: SignalKind<T>,
    apply: (signal: Signal<T>) => void,
    sent?: (name: string, value: T) => void,
  ): void;
  /**
   * Asks the engine for one signal, which goes to `apply` as usual, and resolves then or after `timeoutMs`. Without a
   * connection it resolves immediately. Never throws.
   */
  ask<T>(kind: SignalKind<T>, name: string, timeoutMs: number): Promise<void>;
}

/** The signals of a proxy that works alone. */
export const NO_SIGNALS: Signals = { put: () => {}, watch: () => {}, ask: async () => {} };

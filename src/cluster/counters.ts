// Counts that each replica makes itself and shows to the others, such as the tokens of a key. Every replica adds up
// what all of them show. A count is sent when it is news for the others, otherwise a few seconds later.

import type { Clock } from "../deps.ts";
import type { Signal, SignalKind, Signals } from "./signals.ts";

export interface Counters<T> {
  /** The last counts of the other replicas under this name, by replica. */
  others(name: string): ReadonlyMap<string, Signal<T>>;
  /** The last own count that was sent, or is waiting to be sent; undefined if there is none. */
  shown(name: string): T | undefined;
  /** The last own count that the other replicas have had time to receive; undefined if there is none. */
  seen(name: string): T | undefined;
  /** The own count has changed. `isNews`: the others should know it soon. */
  changed(name: string, isNews: boolean): void;
  /** Sends all counts that are waiting. */
  flush(): void;
}

export interface CountersContext<T> {
  readonly clock: Pick<Clock, "after">;
  readonly signals: Pick<Signals, "put" | "watch">;
  readonly kind: SignalKind<T>;
  /** The id of this replica. */
  readonly replica: string;
  /** The own count; undefined if there is nothing to show. */
  readonly own: (name: string) => T | undefined;
  /** True if the others ignore a part of the count once it is old. It is then sent again and again. */
  readonly isPassing: (count: T) => boolean;
  /** Called when the count of another replica under this name has changed, or when `seen` has. */
  readonly received: (name: string) => void;
}

/** How long a count that is not news may wait, ms. */
export const LATER_MS = 10_000;
/**
 * How long after the engine has accepted a count all others are sure to know it, ms. Twice as long as a message may
 * take: another replica may have decided just before it got this count, and the message about that takes as long.
 */
export const SEEN_MS = 1_000;

export function createCounters<T>(context: CountersContext<T>): Counters<T> {
  const { clock, signals, kind, replica, own, isPassing, received } = context;
  const known = new Map<string, Map<string, Signal<T>>>();
  const shown = new Map<string, T>();
  const seen = new Map<string, T>();
  const waiting = new Map<string, () => void>();

  const put = (name: string): void => {
    waiting.get(name)?.();
    waiting.delete(name);
    const count = own(name);
    if (count === undefined) return;
    shown.set(name, count);
    signals.put(kind, `${name}/${replica}`, count);
    if (isPassing(count)) later(name);
  };

  const later = (name: string): void => {
    if (!waiting.has(name))
      waiting.set(
        name,
        clock.after(LATER_MS, () => put(name)),
      );
  };

  signals.watch(
    kind,
    (signal) => {
      const [name, source] = partsOf(signal.name);
      const counts = known.get(name) ?? new Map<string, Signal<T>>();
      known.set(name, counts.set(source, signal));
      received(name);
    },
    (fullName, count) => {
      const [name] = partsOf(fullName);
      clock.after(SEEN_MS, () => {
        seen.set(name, count);
        received(name);
      });
    },
  );

  return {
    others: (name) => known.get(name) ?? NONE,
    shown: (name) => shown.get(name),
    seen: (name) => seen.get(name),
    changed: (name, isNews) => (isNews ? put(name) : later(name)),
    flush: () => {
      for (const name of [...waiting.keys()]) put(name);
    },
  };
}

// --- internal ---

const NONE: ReadonlyMap<string, never> = new Map<string, never>();

/** The name of a count and the replica that made it, from the name of its signal. */
function partsOf(name: string): [string, string] {
  const slash = name.lastIndexOf("/");
  return [name.slice(0, slash), name.slice(slash + 1)];
}

// Signals between simulated replicas in this process, with delays, without an engine.

import type { Signal, SignalKind, Signals } from "../../src/cluster/signals.ts";
import type { FakeClock } from "./clock.ts";

export interface SignalNetwork {
  /** The signals of a new replica. It gets what the engine has when it begins to watch. */
  join(name: string): Signals;
  /** From now on the replica neither sends nor receives anything. */
  cut(name: string): void;
  isCut(name: string): boolean;
  /** The process of the replica has ended. */
  leave(name: string): void;
  /** The engine loses everything, and the replicas do not notice. */
  empty(): void;
}

type Watcher = {
  readonly apply: (signal: Signal<unknown>) => void;
  readonly sent: ((name: string, value: unknown) => void) | undefined;
};

/** `delayMs`: how long each message takes. Messages arrive in the order in which they were sent. */
export function signalNetwork(clock: FakeClock, delayMs: () => number): SignalNetwork {
  const watchers = new Map<string, Map<string, Watcher>>();
  const cut = new Set<string>();
  /** When the last message to each replica arrives, monotonic ms: they arrive in order. */
  const busyUntilMs = new Map<string, number>();
  let kept = new Map<string, [kind: string, signal: Signal<unknown>]>();
  return {
    join: (name) => {
      const own = new Map<string, Watcher>();
      watchers.set(name, own);
      const isHere = () => !cut.has(name) && watchers.get(name) === own;
      return {
        put: <T>(kind: SignalKind<T>, signalName: string, value: T) => {
          if (!isHere()) return;
          const atMs = clock.now();
          const parsed = kind.schema.parse(JSON.parse(JSON.stringify(value)));
          const signal = {
            name: signalName,
            value: parsed,
            atMs,
            endsMs: atMs + kind.lifetimeMs,
            replica: name,
          };
          kept.set(`${kind.kind}/${signalName}`, [kind.kind, signal]);
          own.get(kind.kind)?.sent?.(signalName, value);
          for (const [other, others] of watchers) {
            if (other === name || cut.has(other)) continue;
            const dueMs = Math.max(clock.monotonic() + delayMs(), busyUntilMs.get(other) ?? 0);
            busyUntilMs.set(other, dueMs);
            clock.after(dueMs - clock.monotonic(), () => {
              if (watchers.get(other) === others && !cut.has(other)) others.get(kind.kind)?.apply(signal);
            });
          }
        },
        watch: <T>(
          kind: SignalKind<T>,
          apply: (signal: Signal<T>) => void,
          sent?: (name: string, value: T) => void,
        ) => {
          own.set(kind.kind, { apply, sent } as Watcher);
          for (const [of, signal] of kept.values())
            if (of === kind.kind && signal.replica !== name) clock.after(0, () => apply(signal as Signal<T>));
        },
        ask: async () => {},
      };
    },
    cut: (name) => void cut.add(name),
    isCut: (name) => cut.has(name),
    leave: (name) => void watchers.delete(name),
    empty: () => {
      kept = new Map();
    },
  };
}

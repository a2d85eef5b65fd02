// One end of an exchange of signals over a real engine, in this process.

import { z } from "zod";
import { createEngine } from "../../src/cluster/engine.ts";
import { createEngineClock } from "../../src/cluster/engine-clock.ts";
import { poolRecords } from "../../src/cluster/pool-records.ts";
import { createSealer } from "../../src/cluster/sealing.ts";
import { createSignalExchange, type SignalExchange } from "../../src/cluster/signal-exchange.ts";
import { signalRecords } from "../../src/cluster/signal-records.ts";
import type { Signal, SignalKind } from "../../src/cluster/signals.ts";
import { type Clock, systemDeps } from "../../src/deps.ts";

/** A signal that contains a time. */
export interface Note {
  readonly text: string;
  readonly untilMs: number;
}

export const NOTES: SignalKind<Note> = {
  kind: "note",
  schema: z.object({ text: z.string(), untilMs: z.number() }),
  shift: (note, byMs) => ({ ...note, untilMs: note.untilMs + byMs }),
  lifetimeMs: 60_000,
  delayMs: 0,
};

export interface SignalPeer extends Disposable {
  readonly exchange: SignalExchange;
  readonly clock: Clock;
  /** The notes that have arrived, the latest last. */
  readonly notes: Signal<Note>[];
  readonly warnings: string[];
  /** Asks for the state of the pool, as a replica does every few seconds. */
  poll(): Promise<void>;
}

export interface SignalPeerOptions {
  /** How far the clock of this replica is ahead of that of the machine, ms. Default: 0. */
  readonly aheadMs?: () => number;
  /** Default: 32 zeros. */
  readonly key?: Uint8Array;
  /** Called before the replica connects. */
  readonly prepare?: (exchange: SignalExchange) => void;
  /** False for the messages on the channel that get lost. Default: none. */
  readonly isHeard?: (message: string) => boolean;
}

export async function signalPeer(
  url: string,
  replica: string,
  options: SignalPeerOptions = {},
): Promise<SignalPeer> {
  const system = systemDeps();
  const warnings: string[] = [];
  const clock = { ...system.clock, now: () => system.clock.now() + (options.aheadMs?.() ?? 0) };
  const deps = { ...system, clock, log: { info: () => {}, warn: (text: string) => warnings.push(text) } };
  const sealer = createSealer(options.key ?? new Uint8Array(32), "team", deps.random);
  const engine = createEngine({ url, pool: "team", deps });
  const records = poolRecords(engine, sealer, "team");
  const engineClock = createEngineClock(clock);
  const poll = async () => {
    const askedMs = clock.monotonic();
    const by = { processId: replica, isFirst: true };
    const { engineMs, signals } = await records.poll(replica, { name: replica, version: "1" }, by);
    engineClock.measured(engineMs, askedMs);
    exchange.polled(signals);
  };
  const exchange = createSignalExchange({
    deps,
    records: signalRecords(engine, "team"),
    sealer,
    replica,
    engineClock,
    poll: () => void poll().catch(() => {}),
  });
  const notes: Signal<Note>[] = [];
  exchange.watch(NOTES, (signal) => notes.push(signal));
  options.prepare?.(exchange);
  await engine.connected(5_000);
  const { promise: subscribed, resolve } = Promise.withResolvers<void>();
  engine.watch({
    connected: () => {
      exchange.lost();
      void poll().catch(() => {});
    },
    changed: () => {},
    signalled: (message) => {
      if (options.isHeard?.(message) !== false) exchange.received(message);
    },
    subscribed: () => {
      resolve();
      exchange.subscribed();
    },
  });
  await Promise.all([poll(), subscribed]);
  return { exchange, clock, notes, warnings, poll, [Symbol.dispose]: engine.close };
}

// Exchanges signals with the other replicas of a pool. Signals are sent in batches, behind the requests, and published
// with their contents, so receivers read nothing. Revisions show whether a message was lost; then what is missing is read.
// Each replica keeps its own living signals, and sends again those that the engine has lost.

import { parseJson } from "../core/json.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError, fullMessageOf } from "../errors.ts";
import type { EngineClock } from "./engine-clock.ts";
import type { Sealer } from "./sealing.ts";
import type { NewSignal, SignalPosition, SignalRecord, SignalRecords } from "./signal-records.ts";
import { SIGNALS_AT_ONCE } from "./signal-scripts.ts";
import type { SignalKind, Signals, SignalWatcher } from "./signals.ts";

export interface SignalExchange extends Signals {
  /** The pool was opened and asked for its state. Reads what was missed, and sends what waits. */
  polled(position: SignalPosition): void;
  /** The connection was lost or made: nothing is sent or received until the next `polled`, and then all is read. */
  lost(): void;
  /** A message has arrived on the channel of signals. */
  received(message: string): void;
  /** The channel has a subscription from now on. What was sent before did not arrive. */
  subscribed(): void;
  /** Sends what waits. Never throws. */
  flush(): Promise<void>;
}

export interface SignalExchangeContext {
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly records: SignalRecords;
  readonly sealer: Sealer;
  /** The id of this replica. */
  readonly replica: string;
  readonly engineClock: Pick<EngineClock, "aheadMs">;
  /** Asks for the state of the pool soon, which calls `polled`. */
  readonly poll: () => void;
}

/** Signals that a replica keeps, the latest ones. Each needs less than 1 KB. */
const MOST_OWN = 10_000;
/** Shortest time between two batches, ms. Signals that are not urgent wait longer, together. */
const BATCH_MS = 20;

/** A signal of this replica, with the times of its clock. */
interface OwnSignal {
  readonly kind: SignalKind<unknown>;
  readonly value: unknown;
  readonly text: string;
  readonly atMs: number;
  /** Monotonic. */
  readonly endsMs: number;
  /** Undefined before it was sent. */
  tag?: string;
}

export function createSignalExchange(context: SignalExchangeContext): SignalExchange {
  const { deps, records, sealer, replica, engineClock, poll } = context;
  const { clock, log } = deps;
  const own = new Map<string, OwnSignal>();
  /** The names of own signals that the engine does not have yet. */
  const unsent = new Set<string>();
  const watchers = new Map<string, SignalWatcher<unknown>>();
  const warned = new Set<string>();
  let position: SignalPosition = { epoch: "0", revision: 0 };
  let isReady = false;
  let needsAll = true;
  let isReading = false;
  let sending: Promise<boolean> | undefined;
  let timer: { readonly dueMs: number; readonly cancel: () => void } | undefined;
  let sentMs = Number.NEGATIVE_INFINITY;

  const warnOnce = (message: string): void => {
    if (!warned.has(message)) log.warn(message);
    warned.add(message);
  };

  /** The replica reports a server that cannot be reached. */
  const failed = (what: string, error: unknown): void => {
    if (!(error instanceof CodexlbError && error.code === "cluster_unreachable"))
      warnOnce(`${what}: ${fullMessageOf(error)}; codexlb tries again`);
  };

  const lost = (): void => {
    isReady = false;
    needsAll = true;
  };

  /** Undefined if nothing can be sent or received, because of the connection or because the clock was set. */
  const aheadMs = (): number | undefined => {
    if (!isReady) return undefined;
    const ahead = engineClock.aheadMs();
    if (ahead !== undefined) return ahead;
    lost();
    poll();
    return undefined;
  };

  const forget = (name: string): void => {
    own.delete(name);
    unsent.delete(name);
  };

  const take = ({ tag, atMs, endsMs, replica: source, sealed }: SignalRecord, ahead: number): void => {
    if (source === replica) return;
    const opened = sealer.open(tag, atMs, sealed);
    if (opened.kind !== "fact") return warnOnce(UNREADABLE[opened.kind]);
    const fullName = opened.fact.name.slice(PREFIX.length);
    const mine = own.get(fullName);
    if (mine !== undefined && mine.atMs + ahead > atMs) return;
    forget(fullName);
    const slash = fullName.indexOf("/");
    const watcher = watchers.get(fullName.slice(0, slash));
    if (watcher === undefined) return warnOnce(UNREADABLE.newer);
    const { kind, apply } = watcher;
    const parsed = kind.schema.safeParse(parseJson(opened.fact.value ?? ""));
    if (!parsed.success) return warnOnce(UNREADABLE.newer);
    const value = kind.shift?.(parsed.data, -ahead) ?? parsed.data;
    const name = fullName.slice(slash + 1);
    apply({ name, value, atMs: atMs - ahead, endsMs: endsMs - ahead, replica: source });
  };

  /** Reads what was sent after `position`, or everything. */
  const readOnce = async (): Promise<void> => {
    const isAll = needsAll;
    needsAll = false;
    // What is sent during the reading may be missing in it.
    const sent = isAll ? [...own].filter(([, { tag }]) => tag !== undefined) : [];
    const sources = new Map<string, string>();
    let from = isAll ? 0 : position.revision;
    for (;;) {
      const page = await records.after(from);
      const ahead = aheadMs();
      if (ahead === undefined) return;
      if (!isAll && page.epoch !== position.epoch) {
        needsAll = true;
        return readOnce();
      }
      for (const record of page.records) {
        sources.set(record.tag, record.replica);
        take(record, ahead);
      }
      position = { epoch: page.epoch, revision: page.completeTo };
      if (page.completeTo >= page.revision) break;
      from = page.completeTo;
    }
    for (const [name, signal] of sent)
      if (own.get(name) === signal && sources.get(signal.tag ?? "") !== replica) unsent.add(name);
  };

  const read = (): void => {
    if (isReading) return;
    isReading = true;
    void readOnce()
      .catch((error) => {
        needsAll = true;
        failed("reading the signals of the pool", error);
      })
      .finally(() => {
        isReading = false;
        if (unsent.size > 0) schedule(0);
      });
  };

  const batch = (ahead: number): Map<string, readonly [OwnSignal, NewSignal]> => {
    const signals = new Map<string, readonly [OwnSignal, NewSignal]>();
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
      const atMs = Math.round(signal.atMs + ahead);
      const value = signal.kind.shift?.(signal.value, ahead) ?? signal.value;
      const fact = { name: PREFIX + name, value: JSON.stringify(value) };
      // Computed each time, because it depends on the key of the pool, which may have changed.
      signal.tag = sealer.tagOf(fact.name);
      const sealed = sealer.seal(fact, atMs);
      signals.set(name, [signal, { tag: signal.tag, atMs, lifetimeMs, sealed }]);
    }
    return signals;
  };

  /** Sends one batch. Resolves to false if that failed, or if there is nothing to send. */
  const send = (): Promise<boolean> => {
    timer?.cancel();
    timer = undefined;
    if (sending !== undefined) return sending;
    const ahead = aheadMs();
    const signals = ahead === undefined ? undefined : batch(ahead);
    if (signals === undefined || signals.size === 0) return Promise.resolve(false);
    sentMs = clock.monotonic();
    sending = records
      .send(
        replica,
        [...signals.values()].map(([, record]) => record),
      )
      .then(
        () => {
          for (const [name, [{ kind, value }]] of signals)
            watchers.get(kind.kind)?.sent?.(name.slice(name.indexOf("/") + 1), value);
          return true;
        },
        (error) => {
          for (const name of signals.keys()) if (own.has(name)) unsent.add(name);
          failed("sending signals to the pool", error);
          return false;
        },
      )
      .then((isSent) => {
        sending = undefined;
        // After a failure the next `polled` sends them.
        if (isSent && unsent.size > 0) schedule(0);
        return isSent;
      });
    return sending;
  };

  const schedule = (delayMs: number): void => {
    const nowMs = clock.monotonic();
    const dueMs = Math.max(nowMs + delayMs, sentMs + BATCH_MS);
    if (timer !== undefined && timer.dueMs <= dueMs) return;
    timer?.cancel();
    timer = { dueMs, cancel: clock.after(dueMs - nowMs, () => void send()) };
  };

  return {
    put: (kind, name, value, atMs = clock.now()) => {
      const fullName = `${kind.kind}/${name}`;
      const text = JSON.stringify(value);
      const nowMs = clock.monotonic();
      const before = own.get(fullName);
      if (before?.text === text && before.endsMs - nowMs > kind.lifetimeMs / 2) return;
      own.delete(fullName);
      own.set(fullName, {
        kind: kind as SignalKind<unknown>,
        value,
        text,
        atMs,
        endsMs: nowMs + kind.lifetimeMs,
      });
      const oldest = own.size > MOST_OWN ? own.keys().next().value : undefined;
      if (oldest !== undefined) forget(oldest);
      unsent.add(fullName);
      schedule(kind.delayMs);
    },
    watch: (kind, apply, sent) => {
      watchers.set(kind.kind, { kind, apply, sent } as SignalWatcher<unknown>);
    },
    ask: async (kind, name, timeoutMs) => {
      if (aheadMs() === undefined) return;
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const stopWaiting = clock.after(timeoutMs, () => resolve(undefined));
      const found = records.find(sealer.tagOf(`${PREFIX}${kind.kind}/${name}`)).catch(() => undefined);
      const record = await Promise.race([found, promise]);
      stopWaiting();
      const ahead = aheadMs();
      if (record !== undefined && ahead !== undefined) take(record, ahead);
    },
    polled: ({ epoch, revision }) => {
      isReady = true;
      if (needsAll || epoch !== position.epoch || revision !== position.revision) read();
      else if (unsent.size > 0) schedule(0);
    },
    lost,
    received: (message) => {
      const ahead = aheadMs();
      if (ahead === undefined) return;
      const parsed = records.parse(message);
      if (parsed === undefined) return warnOnce(UNREADABLE.newer);
      for (const record of parsed.records) take(record, ahead);
      const { epoch, revision, count } = parsed;
      const isNext = epoch === position.epoch && revision - count === position.revision;
      if (isNext) position = { epoch, revision };
      else if (epoch !== position.epoch || revision > position.revision) read();
    },
    subscribed: () => {
      if (isReady) read();
    },
    flush: async () => {
      await sending;
      while (await send());
    },
  };
}

// --- internal ---

/** The names of sealed signals begin with it, so none is taken for a fact. */
const PREFIX = "signal/";

const UNREADABLE = {
  newer: "the pool has signals of a later version of codexlb, which this replica ignores; upgrade it",
  foreign: "the engine has signals that the pool's key does not open; they are ignored",
} as const;

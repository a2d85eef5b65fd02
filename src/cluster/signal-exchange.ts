// Exchanges signals with the other replicas of a pool. Signals are sent in batches, in the background, and published
// with their contents, so receivers read nothing. Revisions show whether a message was lost; then what is missing is
// read.

import { parseJson } from "../core/json.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError, fullMessageOf } from "../errors.ts";
import type { EngineClock } from "./engine-clock.ts";
import { createOwnSignals, SIGNAL_PREFIX } from "./own-signals.ts";
import type { Sealer } from "./sealing.ts";
import type { SignalPosition, SignalRecord, SignalRecords } from "./signal-records.ts";
import type { Signals, SignalWatcher } from "./signals.ts";

export interface SignalExchange extends Signals {
  /** The pool was opened and asked for its state. Reads what was missed, and sends what waits. */
  polled(position: SignalPosition): void;
  /** The connection was lost or made: nothing is sent or received until the next `polled`, and then all is read. */
  lost(): void;
  /** A message has arrived on the channel of signals. */
  received(message: string): void;
  /** This replica is subscribed to the channel from now on. What was sent before did not arrive. */
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

/** Shortest time between two batches, ms. Signals that are not urgent wait longer, together. */
const BATCH_MS = 20;

export function createSignalExchange(context: SignalExchangeContext): SignalExchange {
  const { deps, records, sealer, replica, engineClock, poll } = context;
  const { clock, log } = deps;
  const own = createOwnSignals(clock, sealer);
  const watchers = new Map<string, SignalWatcher<unknown>>();
  const warned = new Set<string>();
  let position: SignalPosition = { epoch: "0", revision: 0 };
  let isReady = false;
  let needsAll = true;
  let isReading = false;
  /** Something was missed during the reading. */
  let isReadingAgain = false;
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

  const take = ({ tag, atMs, endsMs, replica: source, sealed }: SignalRecord, ahead: number): void => {
    if (source === replica) return;
    const opened = sealer.open(tag, atMs, sealed);
    if (opened.kind !== "fact") return warnOnce(UNREADABLE[opened.kind]);
    const fullName = opened.fact.name.slice(SIGNAL_PREFIX.length);
    if (!own.yields(fullName, atMs, ahead)) return;
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
    const sent = isAll ? own.sent() : [];
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
    const lost = sent.filter(({ tag, isKept }) => isKept() && sources.get(tag) !== replica);
    own.sendAgain(lost.map(({ fullName }) => fullName));
  };

  const read = (): void => {
    isReadingAgain = isReading;
    if (isReading) return;
    isReading = true;
    void readOnce()
      .catch((error) => {
        needsAll = true;
        failed("reading the signals of the pool", error);
      })
      .finally(() => {
        isReading = false;
        if (isReadingAgain) read();
        if (own.hasUnsent()) schedule(0);
      });
  };

  /** Sends one batch. Resolves to false if that failed, or if there is nothing to send. */
  const send = (): Promise<boolean> => {
    timer?.cancel();
    timer = undefined;
    if (sending !== undefined) return sending;
    const ahead = aheadMs();
    const signals = ahead === undefined ? undefined : own.batch(ahead);
    if (signals === undefined || signals.size === 0) return Promise.resolve(false);
    sentMs = clock.monotonic();
    sending = records
      .send(
        replica,
        [...signals.values()].map(({ record }) => record),
      )
      .then(
        () => {
          for (const [name, { kind, value }] of signals)
            watchers.get(kind.kind)?.sent?.(name.slice(name.indexOf("/") + 1), value);
          return true;
        },
        (error) => {
          own.sendAgain(signals.keys());
          failed("sending signals to the pool", error);
          return false;
        },
      )
      .then((isSent) => {
        sending = undefined;
        // After a failure the next `polled` sends them.
        if (isSent && own.hasUnsent()) schedule(0);
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
    put: (kind, name, value, atMs) => {
      if (own.put(kind, `${kind.kind}/${name}`, value, atMs)) schedule(kind.delayMs);
    },
    watch: (kind, apply, sent) => {
      watchers.set(kind.kind, { kind, apply, sent } as SignalWatcher<unknown>);
    },
    ask: async (kind, name, timeoutMs) => {
      if (aheadMs() === undefined) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const stopWaiting = clock.after(timeoutMs, resolve);
      // A late answer still counts, unless this replica has put a newer value meanwhile.
      void records
        .find(sealer.tagOf(`${SIGNAL_PREFIX}${kind.kind}/${name}`))
        .then((record) => {
          const ahead = aheadMs();
          if (record !== undefined && ahead !== undefined) take(record, ahead);
        })
        .catch(() => {})
        .finally(resolve);
      await promise;
      stopWaiting();
    },
    polled: ({ epoch, revision }) => {
      isReady = true;
      if (needsAll || epoch !== position.epoch || revision !== position.revision) read();
      else if (own.hasUnsent()) schedule(0);
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

const UNREADABLE = {
  newer:
    "the pool has signals from a later version of codexlb, which this replica ignores; upgrade this replica",
  foreign:
    "another replica uses a different key, so this one cannot read what it notices; after a change of the key, copy the new key file to every replica",
} as const;

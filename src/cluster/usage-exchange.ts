// Sends the turns and switches of this replica to the others, and writes theirs into its own usage.db. Nothing here
// runs on the request path. What is to be sent is read from usage.db, so it takes no memory while the engine is away.

import type { MovedTurn } from "../core/pool-facts.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError, fullMessageOf } from "../errors.ts";
import type { EventLog } from "../state/events.ts";
import { MOST_KEPT, openExchange } from "../state/usage/turn-exchange.ts";
import type { ReceivedTurn, UsageStore } from "../state/usage/usage-store.ts";
import type { SharedSwitches } from "./sharing.ts";
import { batchIn, batchText, movedText } from "./turn-batch.ts";
import type { Exchanged, IncomingBatch, UsageStream } from "./usage-stream.ts";

export interface UsageExchange extends SharedSwitches {
  readonly send: (moved: MovedTurn) => void;
  /** The pool can be used, and its replicas have sent `sentRecords` so far. Reads new ones. Never throws. */
  look(sentRecords: string): void;
  /** Sends what is left. Never throws. */
  stop(): Promise<void>;
}

export interface UsageExchangeOptions {
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly events: Pick<EventLog, "append">;
  readonly stream: UsageStream;
  readonly usage: SharedUsage;
  /** Which replica of which pool the root is. */
  readonly membership: string;
  /** The name of the proxy. */
  readonly name: () => string;
  /** True while the pool can be used. */
  readonly isReady: () => boolean;
}

export type SharedUsage = Pick<UsageStore, "share" | "receive" | "reader" | "change" | "health">;

export function createUsageExchange(options: UsageExchangeOptions): UsageExchange {
  const { deps, events, stream, usage, membership, name, isReady } = options;
  const { clock, log } = deps;
  let switches: MovedTurn[] = [];
  let taken: (moved: MovedTurn) => void = () => {};
  /** How many records the pool had after the last exchange. */
  let seen: string | undefined;
  /** True if there may be something to send. */
  let isOwed = true;
  let lastMs = Number.NEGATIVE_INFINITY;
  let cancel: (() => void) | undefined;
  let running: Promise<void> | undefined;
  let problem: string | undefined;
  let isStopped = false;

  const soon = (): void => {
    if (isStopped) return;
    isOwed = true;
    const waitMs = Math.max(GATHER_MS, lastMs + PAUSE_MS - clock.monotonic());
    cancel ??= clock.after(waitMs, () => {
      cancel = undefined;
      void run();
    });
  };
  usage.share((database, ids) => openExchange(database, membership).noteTurns(ids), soon);

  /** Moves the switches in memory to the outbox. */
  const noteSwitches = (): void => {
    if (switches.length === 0) return;
    const texts = switches.map(movedText);
    usage.change(texts.length, (database) => {
      database.transaction(() => openExchange(database, membership).noteMoved(texts))();
      switches = [];
    });
  };

  /** Sends and reads some records. `force`: send them even if the pool does not have those before. */
  const exchangeSome = async (force: boolean): Promise<Progress> => {
    noteSwitches();
    // Undefined if the root is no longer this process's.
    const database = usage.reader() ?? usage.change(1, (created) => created);
    if (database === undefined) return "done";
    // Everything that was to be sent is in the outbox now.
    isOwed = false;
    cancel?.();
    cancel = undefined;
    const exchange = openExchange(database, membership);
    const { source, sent, position } = exchange.state();
    const records = exchange.outgoing(sent, MOST_AT_ONCE);
    const last = records.at(-1)?.sequence;
    const text = last === undefined ? "" : batchText(name(), sent, records);
    const batch = last === undefined ? undefined : { after: sent, last, count: records.length, text, force };
    const answer = await stream.exchange(source, batch, position);
    if (answer === undefined) throw new PoolChanged();
    const next = receive(answer, source, last ?? sent, batch !== undefined);
    seen = answer.sentRecords;
    if (next !== undefined) return next;
    return answer.hasMore || records.length === MOST_AT_ONCE ? "more" : "done";
  };

  /** Writes what was read, and that the pool has the records up to `last`, unless it does not have those before. */
  const receive = (
    answer: Exchanged,
    source: string,
    last: number,
    hasSent: boolean,
  ): Progress | undefined => {
    const isComplete = hasSent ? answer.added : answer.known === last;
    const database = usage.reader();
    const known = database && openExchange(database, membership);
    const content = contentOf(answer.batches, (from) => known?.receivedOf(from));
    let next: Progress | undefined;
    usage.receive(content.turns, (now) => {
      const exchange = openExchange(now, membership);
      for (const [from, sequence] of content.received) exchange.markReceived(from, sequence);
      exchange.moveTo(answer.position);
      // The file may have been replaced in the meantime.
      if (exchange.state().source !== source) next = "more";
      else if (!isComplete) next = goBack(exchange, answer.known);
      else if (hasSent) exchange.markSent(last);
    });
    for (const { replica, records } of content.missing)
      events.append("cluster.records_missing", { replica, records });
    if (content.unknown > 0) events.append("cluster.records_unknown", { records: content.unknown });
    for (const one of content.moved) taken(one);
    return next;
  };

  const work = async (): Promise<void> => {
    if (usage.health().kind === "off") return;
    noteSwitches();
    if (!isReady()) return;
    let refusals = 0;
    let progress: Progress = "more";
    while (progress !== "done" && refusals <= MOST_REFUSALS) {
      progress = await exchangeSome(progress === "force");
      if (progress === "back" || progress === "force") refusals++;
    }
    lastMs = clock.monotonic();
    problem = undefined;
  };
  const failed = (error: unknown): void => {
    isOwed = true;
    // The comparison with the pool reports these itself.
    if (error instanceof PoolChanged) return;
    if (error instanceof CodexlbError && error.code === "cluster_unreachable") return;
    const why = fullMessageOf(error);
    if (problem === why) return;
    problem = why;
    events.append("cluster.records_failed", { error: why });
    log.warn(`exchanging records of turns with the other replicas: ${why}; codexlb tries again`);
  };
  const run = (): Promise<void> => {
    running ??= work()
      .catch(failed)
      .finally(() => {
        running = undefined;
      });
    return running;
  };

  return {
    send: (moved) => {
      if (switches.length < MOST_SWITCHES) switches.push(moved);
      soon();
    },
    take: (given) => {
      taken = given;
    },
    look: (sentRecords) => {
      if (sentRecords !== seen || (isOwed && cancel === undefined)) void run();
    },
    stop: async () => {
      isStopped = true;
      cancel?.();
      cancel = undefined;
      await running;
      await run();
    },
  };
}

// --- internal ---

/**
 * What follows after an exchange. `back`: the pool does not have all records that were sent, and gets them again.
 * `force`: it gets those of them that are left.
 */
type Progress = "done" | "more" | "back" | "force";

/** How long records are gathered before they are sent, ms. */
const GATHER_MS = 1_000;
/** The shortest time between two exchanges, so that a busy replica sends few and large batches, ms. */
const PAUSE_MS = 3_000;
const MOST_AT_ONCE = 100;
/** The most switches in memory. They are written to disk within three seconds. */
const MOST_SWITCHES = 500;
/** More often in a row only if two processes are the same replica. */
const MOST_REFUSALS = 3;

/** The engine was emptied, or has another pool or key now. */
class PoolChanged extends Error {}

/** Continues after the record `known`, the last one of this replica that the pool has. */
function goBack(exchange: ReturnType<typeof openExchange>, known: number): Progress {
  const last = exchange.last();
  if (known > last) {
    exchange.renewSource();
    return "force";
  }
  const from = Math.max(known, last - MOST_KEPT);
  exchange.markSent(from);
  return from === known ? "back" : "force";
}

/** What is new in batches of other replicas. */
interface NewContent {
  readonly turns: ReceivedTurn[];
  readonly moved: MovedTurn[];
  /** The last record of each source. */
  readonly received: Map<string, number>;
  /** How many records of which replica were lost on the way. */
  readonly missing: { readonly replica: string; readonly records: number }[];
  /** How many records this version does not understand. */
  unknown: number;
}

function contentOf(
  batches: readonly IncomingBatch[],
  receivedOf: (source: string) => number | undefined,
): NewContent {
  const found: NewContent = { turns: [], moved: [], received: new Map(), missing: [], unknown: 0 };
  for (const { source, last, count, text } of batches) {
    const received = found.received.get(source) ?? receivedOf(source);
    if (received !== undefined && last <= received) continue;
    found.received.set(source, last);
    const batch = text === undefined ? undefined : batchIn(text, received ?? 0);
    if (batch === undefined) {
      found.unknown += count;
      continue;
    }
    const records = received === undefined ? 0 : batch.after - received;
    if (records > 0) found.missing.push({ replica: batch.replica, records });
    found.turns.push(...batch.turns);
    found.moved.push(...batch.moved);
    found.unknown += batch.unknown;
  }
  return found;
}

// Writes the records of turns to ROOT/usage.db, in the background. Turns are gathered, and written together a moment
// later, so that no request waits for the disk, and a killed process loses at most that moment.
//
// The proxy writes on its main thread: a hundred turns take less than a millisecond, and a second thread would take
// memory. Only a checkpoint waits for the disk. It is small, and the operating system writes the log before it begins, so
// it takes about a millisecond.

import type { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import type { TurnRecord } from "../../core/turn-record.ts";
import type { Deps } from "../../deps.ts";
import { systemProblem } from "../../errors.ts";
import type { EventLog } from "../events.ts";
import type { RootOwner } from "../root-owner.ts";
import { createCheckpoints } from "./checkpoint.ts";
import { createOpenUsage } from "./open-usage.ts";
import { createUsagePruner } from "./prune.ts";
import { isUnusable } from "./usage-file.ts";

/** A turn that another replica recorded. `identity`: the hash of the identity of its account. */
export interface ReceivedTurn extends TurnRecord {
  readonly identity: string | undefined;
}

/** Whether turns are recorded. `failing`: the file cannot be written, because of `why`. */
export type UsageHealth =
  | { readonly kind: "off" | "recording" }
  | { readonly kind: "failing"; readonly why: string; readonly dropped: number };

export interface UsageBacklog {
  /** When the oldest turn that is not written yet ended, Unix ms; undefined if all are written. */
  readonly oldestMs: number | undefined;
  /** How many turns were dropped since the store was created. */
  readonly dropped: number;
}

export interface UsageStore {
  /** Records a turn. */
  add(turn: TurnRecord): void;
  /** How many turns were added or received since the store was created. */
  added(): number;
  /** Writes the turns in memory. */
  flush(): void;
  /** The database for queries, with all turns up to now; undefined if there is none. Throws `Error` if it cannot be read. */
  reader(): Database | undefined;
  /**
   * For a query on `database`, from `reader`, that threw `error`: sets the file aside if it is unusable. Returns true if
   * `reader` now returns something else, so that the query can run again. Throws `Error` if the file cannot be moved.
   */
  replaceUnusable(database: Database, error: unknown): boolean;
  /**
   * Runs `work`, which changes about `rows` rows in one transaction, on the database, which is created if there is none;
   * undefined if the root is no longer this process's. Throws `Error` if the file cannot be written.
   */
  change<T>(rows: number, work: (database: Database) => T): T | undefined;
  /**
   * From now on, notes every turn of this process for the other replicas: `within` is called with the ids of some
   * turns in the transaction that writes them, and `written` after it.
   */
  share(within: (database: Database, ids: readonly number[]) => void, written: () => void): void;
  /**
   * Writes turns of other replicas, and calls `within` in the same transaction. Returns false if the root no longer
   * belongs to this process. Throws `Error` if the file cannot be written.
   */
  receive(turns: readonly ReceivedTurn[], within: (database: Database) => void): boolean;
  health(): UsageHealth;
  backlog(): UsageBacklog;
  /** Writes the turns in memory, and closes the file. */
  stop(): void;
}

export interface UsageStoreOptions {
  readonly path: string;
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly events: Pick<EventLog, "append">;
  readonly owner: Pick<RootOwner, "isOurs">;
  readonly settings: () => { readonly enabled: boolean; readonly keepDays: number };
  /** The hash of the identity of the account with this id. */
  readonly identityOf: (accountId: string) => string | undefined;
}

/** Creates the store. The file is opened when the first turn is written. */
export function createUsageStore(options: UsageStoreOptions): UsageStore {
  const { path, deps, events, owner, settings, identityOf } = options;
  const { clock, log } = deps;
  let waiting: TurnRecord[] = [];
  let cancel: (() => void) | undefined;
  let cancelSums: (() => void) | undefined;
  let shared: Parameters<UsageStore["share"]> | undefined;
  let trouble: string | undefined;
  let dropped = 0;
  let added = 0;
  let droppedInAll = 0;
  const prune = createUsagePruner(clock);
  const files = createOpenUsage({ path, deps, events });

  const failed = (error: unknown): void => {
    const why = systemProblem(error);
    if (trouble === undefined) {
      log.warn(
        `writing ${path}: ${why}; turns are not recorded until codexlb can write it again; turns themselves are not affected`,
      );
      events.append("usage.write_failed", { path, error: why });
    }
    trouble = why;
  };
  const worked = (): void => {
    if (trouble === undefined) return;
    log.info(`${path} can be written again; turns not recorded: ${dropped}`);
    events.append("usage.write_resumed", { path, dropped });
    trouble = undefined;
    dropped = 0;
  };

  /** Writes at most `most` of the waiting turns. Returns false if that failed. */
  const write = (most: number): boolean => {
    const turns = waiting.slice(0, most);
    // Each hash takes longer than everything else about a turn.
    const identities = new Map<string, string | undefined>();
    const knownIdentityOf = ({ accountId }: TurnRecord) => {
      if (accountId === undefined) return undefined;
      if (!identities.has(accountId)) identities.set(accountId, identityOf(accountId));
      return identities.get(accountId);
    };
    try {
      files.use(({ database, writer }) => {
        const within = shared?.[0];
        writer.write(turns, knownIdentityOf, within && ((ids) => within(database, ids)));
        prune(database, settings().keepDays);
      });
    } catch (error) {
      failed(error);
      return false;
    }
    waiting = waiting.slice(turns.length);
    worked();
    sumLater();
    shared?.[1]();
    return true;
  };
  const later = (ms: number): void => {
    cancel ??= clock.after(ms, flushSome);
  };
  const flushSome = (): void => {
    cancel = undefined;
    if (waiting.length === 0) return;
    if (!owner.isOurs()) {
      waiting = [];
      return;
    }
    if (!write(MOST_AT_ONCE)) return later(RETRY_MS);
    // Other requests run between two batches.
    if (waiting.length > 0) later(0);
    void checkpoint();
  };
  const checkpoint = createCheckpoints({ path, writer: () => files.current()?.writer, failed });
  /** Soon adds the turns of closed days to the sums of sessions, if there are any. */
  const sumLater = (): void => {
    if (files.current()?.sessions.isBehind(clock.now())) cancelSums ??= clock.after(SUM_PAUSE_MS, sumSome);
  };
  const sumSome = (): void => {
    cancelSums = undefined;
    if (files.current() === undefined || !owner.isOurs()) return;
    try {
      files.use(({ sessions, writer }) => writer.countCommit(sessions.addSome(clock.now())));
    } catch {
      // The next write tries again, and reports a file that cannot be written. Until then, queries read the turns.
      return;
    }
    sumLater();
    void checkpoint();
  };
  const flush = (): void => {
    cancel?.();
    cancel = undefined;
    if (!owner.isOurs()) waiting = [];
    while (waiting.length > 0 && write(MOST_AT_ONCE));
    if (waiting.length > 0) later(RETRY_MS);
  };

  return {
    add: (turn) => {
      added++;
      if (waiting.length >= MOST_WAITING) {
        dropped++;
        droppedInAll++;
        return;
      }
      waiting.push(turn);
      later(trouble === undefined ? GATHER_MS : RETRY_MS);
    },
    added: () => added,
    flush,
    reader: () => {
      flush();
      if (!owner.isOurs()) return files.current()?.database;
      if (files.current() === undefined && !existsSync(path)) return undefined;
      return files.use(({ database }) => database);
    },
    replaceUnusable: (database, error) => {
      if (!owner.isOurs()) return false;
      // Another query or a write may have replaced the file in the meantime.
      if (files.current()?.database !== database) return true;
      if (!isUnusable(error)) return false;
      files.moveAside();
      return true;
    },
    change: (rows, work) => {
      if (!owner.isOurs()) return undefined;
      const result = files.use(({ database, writer }) => {
        const changed = work(database);
        writer.countCommit(rows);
        return changed;
      });
      void checkpoint();
      return result;
    },
    share: (...given) => {
      shared = given;
    },
    receive: (turns, within) => {
      if (!owner.isOurs()) return false;
      files.use(({ database, writer }) => {
        writer.write(
          turns,
          ({ identity }) => identity,
          () => within(database),
        );
        prune(database, settings().keepDays);
      });
      added += turns.length;
      sumLater();
      void checkpoint();
      return true;
    },
    health: () => {
      if (!settings().enabled) return { kind: "off" };
      return trouble === undefined ? { kind: "recording" } : { kind: "failing", why: trouble, dropped };
    },
    backlog: () => {
      const [oldest] = waiting;
      return { oldestMs: oldest && oldest.startedMs + oldest.durationMs, dropped: droppedInAll };
    },
    stop: () => {
      flush();
      cancel?.();
      cancel = undefined;
      cancelSums?.();
      cancelSums = undefined;
      // Closing deletes files by their paths, at which there may be those of another root now.
      if (!owner.isOurs()) return;
      try {
        files.current()?.writer.checkpoint();
      } catch (error) {
        failed(error);
      }
      files.close();
    },
  };
}

// --- internal ---

/** How long turns are gathered: the most that a killed process loses. */
const GATHER_MS = 250;
/** How long to wait after a write failed. */
const RETRY_MS = 10_000;
/** The pause before the next turns are added to the sums of sessions. Adding some takes about a millisecond. */
const SUM_PAUSE_MS = 50;
/** A batch, which takes about a millisecond. */
const MOST_AT_ONCE = 500;
/** Some 10 MB. Further turns are dropped while the file cannot be written. */
const MOST_WAITING = 20_000;

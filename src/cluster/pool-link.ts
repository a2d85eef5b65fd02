// The link of a replica to its pool: finds the pool, compares root and engine regularly and after each change, and
// knows since when that fails.

import { advisedElsewhere } from "../advice.ts";
import { MISSED_MS } from "../core/cluster-words.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import { VERSION } from "../version.ts";
import type { Degradation } from "./degradation.ts";
import type { Engine } from "./engine.ts";
import type { EngineClock } from "./engine-clock.ts";
import type { Keyring } from "./keyring.ts";
import type { LocalFacts } from "./local-facts.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import type { Member, NextKeyState, PoolRecords, PoolState, ReplicaDescription } from "./pool-records.ts";
import { createReconciler, hasChanges } from "./reconcile.ts";
import type { ReplicaCounts } from "./replica-counts.ts";
import type { ReplicaFile } from "./replica-file.ts";
import type { ReplicaState } from "./sharing.ts";

export interface PoolLink {
  /** Compares root and engine. Throws what failed. */
  sync(): Promise<void>;
  /** Compares now, and then every few seconds until `stop`. Never throws. */
  tick(): void;
  /** Keeps `facts` up to date from now on. */
  use(facts: LocalFacts): void;
  /** There is a new connection, perhaps to another server, or to one that has lost data. */
  connected(): void;
  /** Resolves after the next change of the pool, or after `ms`. */
  nextChange(ms: number): Promise<void>;
  stop(): void;
  /**
   * Reports to the engine that this replica was stopped, unless another process is the replica now. Throws like the
   * engine.
   */
  signOff(): Promise<void>;
  readonly facts: LocalFacts | undefined;
  /** True while the pool is known to exist and can be used. */
  readonly isUsable: boolean;
  readonly hasRead: boolean;
  readonly members: readonly ReplicaState[];
}

export interface PoolLinkContext {
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly degradation: Degradation;
  readonly engine: Engine;
  readonly engineClock: EngineClock;
  readonly records: PoolRecords;
  readonly keyring: Keyring;
  readonly file: ReplicaFile;
  readonly processId: string;
  readonly counts: ReplicaCounts;
  /** The name of the proxy. */
  readonly name: () => string;
  /** The next key of this replica, if it has one. */
  readonly nextKey: () => NextKeyState;
  /** Prints a warning, once. */
  readonly warn: (message: string) => void;
  /** The engine may have lost everything but facts. */
  readonly lost: () => void;
  /** The state of the pool was read. */
  readonly polled: (state: PoolState) => void;
  /** Root and engine have the same facts. */
  readonly compared: (state: PoolState) => void;
}

/**
 * How often root and engine are compared at least, in addition to every announced change, ms. They are compared
 * earlier if another replica has then missed its report, so that it is not shown as connected for longer.
 */
export const INTERVAL_MS = 5_000;
/** Replicas that were connected within this time count when limits and work are divided, ms. */
const RECENT_MS = 10 * 60_000;

export function createPoolLink(context: PoolLinkContext): PoolLink {
  const { deps, degradation, engine, engineClock, records, keyring, file, processId } = context;
  const { counts, name, nextKey, warn } = context;
  const { clock, log } = deps;
  const { sealer } = keyring;
  let facts: LocalFacts | undefined;
  let reconcile: (() => Promise<void>) | undefined;
  /** The revision of the pool after the last comparison. */
  let seen: string | undefined;
  let members: readonly ReplicaState[] = [];
  let pauseMs = INTERVAL_MS;
  /** This process has reported itself as the replica before. */
  let isKnown = false;
  let isOpen = false;
  let hasRead = false;
  let cancel: (() => void) | undefined;
  let isStopped = false;
  const waiting = new Set<() => void>();

  /**
   * Finds the pool, or rebuilds it from this root if the engine is empty. Until that has succeeded, nothing is
   * compared: with another key, or in another pool, all facts of the root would look new.
   */
  const openPool = async (): Promise<void> => {
    isOpen = false;
    const { keyId } = sealer;
    const { runId, problems } = await engine.info();
    for (const { what, next } of problems) warn(`${engine.shown}: ${what}; ${next}`);
    const found = (await records.find(runId)) ?? (await records.create(file.poolId, runId, true));
    if (found !== file.poolId)
      throw new CodexlbError(
        "cluster_refused",
        `using ${engine.shown}: the pool ${file.pool} there is not the one that this root has joined`,
        { next: "correct cluster.url or cluster.pool, or join the new pool with another root" },
      );
    isOpen = true;
    seen = undefined;
    if (sealer.keyId === keyId) return;
    context.lost();
    log.info(`the key of the pool ${file.pool} was changed; this replica now uses the new one`);
  };

  const description = (): ReplicaDescription => ({ name: name(), version: VERSION, ...nextKey() });

  const poll = async (): Promise<PoolState> => {
    const askedMs = clock.monotonic();
    const polled = await records.poll(file.replica, description(), { processId, isFirst: !isKnown });
    engineClock.measured(polled.engineMs, askedMs);
    isKnown ||= polled.poolId === file.poolId;
    return polled;
  };

  const noteMembers = (found: readonly Member[]): void => {
    members = found.map(({ id, about: { name, version, stopped }, agoMs }) => ({
      ...{ id, name, version },
      seenMs: clock.now() - agoMs,
      isConnected: stopped !== true && agoMs < MISSED_MS,
      isStopped: stopped === true,
    }));
    const missedInMs = found.map(({ agoMs }) => MISSED_MS - agoMs).filter((ms) => ms > 0);
    pauseMs = Math.min(INTERVAL_MS, ...missedInMs);
    const isRecent = ({ about: { stopped }, agoMs }: Member) => stopped !== true && agoMs <= RECENT_MS;
    // The list is empty for a moment after a change of the key.
    file.counted(Math.max(1, found.filter(isRecent).length));
  };

  const compare = async (): Promise<void> => {
    if (facts === undefined || reconcile === undefined) return;
    if (!isOpen) await openPool();
    let polled = await poll();
    if (polled.poolId !== file.poolId) {
      // The engine was emptied, and perhaps filled with another pool.
      await openPool();
      polled = await poll();
    }
    noteMembers(polled.members);
    // The other process sends signals under the same id, so the replicas would mix up the signals of the two.
    if (polled.isDuplicate) context.lost();
    else context.polled(polled);
    file.flush();
    if (polled.revision !== seen || hasChanges({ records, sealer, file, facts, log })) {
      await reconcile();
      // A change that another replica made meanwhile raises the revision again.
      seen = polled.revision;
      hasRead = true;
      for (const wake of waiting) wake();
    }
    // Only now: a login that this process has renewed may be missing in the pool.
    if (polled.isDuplicate) throw duplicateReplica(file.pool);
    degradation.succeeded();
    context.compared(polled);
  };

  const sync = oneAtATime(async () => {
    try {
      await compare();
      counts.compared("done");
    } catch (error) {
      counts.compared("failed");
      degradation.failed(error);
      throw error;
    }
  });

  const tick = (): void => {
    // A comparison would report the replica as connected again.
    if (isStopped) return;
    cancel?.();
    void sync()
      .catch(() => {
        // The failure is reported. What this replica knows of the others is out of date.
        pauseMs = INTERVAL_MS;
      })
      .finally(() => {
        // Another call may have set a timer meanwhile.
        cancel?.();
        if (!isStopped) cancel = clock.after(pauseMs, tick);
      });
  };

  return {
    sync,
    tick,
    use: (given) => {
      facts = given;
      const { renewedElsewhere: renewed } = counts;
      reconcile = createReconciler({ records, sealer, file, facts: given, log, name, renewed });
    },
    connected: () => {
      isOpen = false;
      context.lost();
      tick();
    },
    nextChange: async (ms) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.add(resolve);
      const stopWaiting = clock.after(ms, resolve);
      await promise;
      stopWaiting();
      waiting.delete(resolve);
    },
    stop: () => {
      isStopped = true;
      cancel?.();
    },
    signOff: () => records.stop(file.replica, { ...description(), stopped: true }, processId),
    get facts() {
      return facts;
    },
    get isUsable() {
      return isOpen && degradation.now() === undefined;
    },
    get hasRead() {
      return hasRead;
    },
    get members() {
      return members;
    },
  };
}

// --- internal ---

function duplicateReplica(pool: string): CodexlbError {
  return new CodexlbError(
    "same_replica_twice",
    `another process, probably on a copy of this root, is connected to the pool ${pool} as the same replica`,
    {
      next: `stop one of the two proxies, and run on its root: ${advisedElsewhere("cluster leave")} && ${advisedElsewhere("cluster join")}`,
    },
  );
}

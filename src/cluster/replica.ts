// A replica of a pool: connects to the engine, keeps root and engine in line, and knows since when it cannot.

import type { Deps } from "../deps.ts";
import { CodexlbError, fullMessageOf } from "../errors.ts";
import type { EventLog } from "../state/events.ts";
import { VERSION } from "../version.ts";
import { createEngine } from "./engine.ts";
import { createEngineClock } from "./engine-clock.ts";
import type { LocalFacts } from "./local-facts.ts";
import { loginTurns } from "./login-turns.ts";
import { openTurns } from "./open-turns.ts";
import { type PoolState, poolRecords } from "./pool-records.ts";
import { createReconciler, hasChanges } from "./reconcile.ts";
import type { ReplicaFile } from "./replica-file.ts";
import { SETTLE_MS } from "./scripts.ts";
import { createSealer } from "./sealing.ts";
import { sharedAccounts, sharedKeys } from "./shared-ops.ts";
import type { Sharing } from "./sharing.ts";
import { createSignalExchange } from "./signal-exchange.ts";
import { signalRecords } from "./signal-records.ts";

export interface ReplicaOptions {
  readonly deps: Deps;
  readonly events: Pick<EventLog, "append">;
  /** `cluster.url`, which was checked. */
  readonly url: string;
  readonly key: Uint8Array;
  readonly file: ReplicaFile;
  /** The name of the proxy. */
  readonly name: () => string;
}

/** How often a replica compares itself with the engine, in addition to every announced change, ms. */
const INTERVAL_MS = 5_000;
/** Longest wait for the engine at the start, at the end, and after a change of an operator, ms. */
const PATIENCE_MS = 3_000;

export function createReplica({ deps, events, url, key, file, name }: ReplicaOptions): Sharing {
  const { clock, log } = deps;
  const engine = createEngine({ url, pool: file.pool, deps });
  const sealer = createSealer(key, file.pool, deps.random);
  const records = poolRecords(engine, sealer, file.pool);
  const engineClock = createEngineClock(clock);
  const signals = createSignalExchange({
    deps,
    records: signalRecords(engine, file.pool),
    sealer,
    replica: file.replica,
    engineClock,
    poll: () => tick(),
  });
  let facts: LocalFacts | undefined;
  let reconcile: (() => Promise<void>) | undefined;
  let degraded: { readonly sinceMs: number; readonly why: string } | undefined;
  let connectedAtMs: number | undefined;
  /** The revision of the pool after the last comparison. */
  let seen: string | undefined;
  let names: ReadonlyMap<string, string> = new Map();
  let isOpen = false;
  let cancel: (() => void) | undefined;
  let isStopped = false;
  const waiting = new Set<() => void>();

  const changed = (): void => {
    for (const wake of waiting) wake();
  };

  const within = async (ms: number, work: Promise<unknown>): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stopWaiting = clock.after(ms, resolve);
    await Promise.race([work.catch(() => {}), promise]);
    stopWaiting();
  };

  const failed = (error: unknown): void => {
    const why = fullMessageOf(error);
    const before = degraded;
    // The first failure is often only that the connection closed; a later one says why it does not come back.
    degraded = { sinceMs: before?.sinceMs ?? clock.now(), why };
    if (before !== undefined) return;
    events.append("cluster.degraded", { error: why });
    log.warn(
      `the pool ${file.pool} cannot be used for now, and this replica works with what it knows: ${why}`,
    );
  };

  const succeeded = (): void => {
    if (degraded === undefined) return;
    const seconds = Math.round((clock.now() - degraded.sinceMs) / 1000);
    degraded = undefined;
    events.append("cluster.recovered", { degraded_seconds: seconds });
    log.info(`the pool ${file.pool} can be used again after ${seconds} s`);
  };

  /**
   * Finds the pool, or rebuilds it from this root if the engine is empty. Until that has succeeded, nothing is compared:
   * with another key, or in another pool, all facts of the root would look new.
   */
  const openPool = async (): Promise<void> => {
    isOpen = false;
    const { runId } = await engine.info();
    const found = (await records.find(runId)) ?? (await records.create(file.poolId, runId, true));
    if (found !== file.poolId)
      throw new CodexlbError(
        "cluster_refused",
        `using ${engine.shown}: the pool ${file.pool} there is not the one that this root has joined`,
        { next: "correct cluster.url or cluster.pool, or join the new pool with another root" },
      );
    isOpen = true;
    seen = undefined;
  };

  const poll = async (): Promise<PoolState> => {
    const askedMs = clock.monotonic();
    const polled = await records.poll(file.replica, { name: name(), version: VERSION });
    engineClock.measured(polled.engineMs, askedMs);
    return polled;
  };

  const compare = async (): Promise<void> => {
    if (reconcile === undefined || facts === undefined) return;
    if (!isOpen) await openPool();
    let polled = await poll();
    if (polled.poolId !== file.poolId) {
      // The engine was emptied, and perhaps filled with another pool.
      await openPool();
      polled = await poll();
    }
    signals.polled(polled.signals);
    if (polled.revision !== seen || hasChanges({ records, sealer, file, facts, log })) {
      await reconcile();
      names = new Map((await records.members()).map(({ id, about: { name } }) => [id, name]));
      // A change that another replica made meanwhile raises the revision again.
      seen = polled.revision;
      changed();
    }
    succeeded();
  };

  // One comparison runs at a time. A call during one waits for another one, which begins afterwards.
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const sync = (): Promise<void> => {
    if (running === undefined) {
      running = compare()
        .catch((error) => {
          failed(error);
          throw error;
        })
        .finally(() => {
          running = undefined;
        });
      return running;
    }
    next ??= running
      .catch(() => {})
      .then(() => {
        next = undefined;
        return sync();
      });
    return next;
  };

  const tick = (): void => {
    cancel?.();
    void sync()
      .catch(() => {}) // `failed` has reported it
      .finally(() => {
        // Another call may have set a timer meanwhile.
        cancel?.();
        if (!isStopped) cancel = clock.after(INTERVAL_MS, tick);
      });
  };

  const { turns, ended } = openTurns(
    loginTurns({
      deps,
      records,
      sealer,
      file,
      facts: () => facts,
      sync,
      nextChange: async (ms) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting.add(resolve);
        const stopWaiting = clock.after(ms, resolve);
        await promise;
        stopWaiting();
        waiting.delete(resolve);
      },
      takesOver: () => connectedAtMs !== undefined && clock.monotonic() - connectedAtMs >= SETTLE_MS,
      nameOf: (replica) => names.get(replica) ?? replica,
    }),
  );

  const operator = {
    aliasOf: (account: string) => facts?.aliasOf(account) ?? account,
    expect: file.expect,
    made: async () => {
      await within(PATIENCE_MS, sync());
      if (file.pending().length > 0)
        log.warn(
          `the change is made here; the other replicas of ${file.pool} get it when the pool can be used again`,
        );
    },
  };

  return {
    turns,
    signals,
    accounts: (ops) => sharedAccounts(ops, operator),
    keys: (ops) => sharedKeys(ops, operator),
    start: async (given) => {
      facts = given;
      reconcile = createReconciler({ records, sealer, file, facts: given, log });
      await engine.connected(PATIENCE_MS).catch(failed);
      engine.watch({
        connected: () => {
          connectedAtMs = clock.monotonic();
          // It may be another server, or one that has lost data.
          isOpen = false;
          signals.lost();
          tick();
        },
        changed: tick,
        signalled: signals.received,
        subscribed: signals.subscribed,
      });
      await within(PATIENCE_MS, sync());
      tick();
    },
    stop: async () => {
      isStopped = true;
      cancel?.();
      // The new login of a renewal that is cut off would be lost.
      await within(PATIENCE_MS, ended());
      if (degraded === undefined) {
        await within(PATIENCE_MS, sync());
        await within(PATIENCE_MS, signals.flush());
      }
      engine.close();
    },
    state: () => ({
      pool: file.pool,
      replica: file.replica,
      engine: engine.shown,
      degraded,
      pending: file.pending().length,
    }),
  };
}

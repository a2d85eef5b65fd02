// A replica of a pool: connects to the engine, keeps root and engine in line, and knows since when it cannot.

import type { Deps } from "../deps.ts";
import { CodexlbError, fullMessageOf } from "../errors.ts";
import type { EventLog } from "../state/events.ts";
import { VERSION } from "../version.ts";
import { createEngine } from "./engine.ts";
import { createEngineClock } from "./engine-clock.ts";
import { engineLeases } from "./engine-leases.ts";
import type { KeyPlace } from "./key.ts";
import { createKeyShares } from "./key-shares.ts";
import { createKeyring } from "./keyring.ts";
import type { LocalFacts } from "./local-facts.ts";
import { loginTurns } from "./login-turns.ts";
import { nextKeyReport } from "./next-key.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import { type PoolState, poolRecords } from "./pool-records.ts";
import { createReconciler, hasChanges } from "./reconcile.ts";
import { createReplicaCounts } from "./replica-counts.ts";
import type { ReplicaFile } from "./replica-file.ts";
import { SETTLE_MS } from "./scripts.ts";
import { sharedAccounts, sharedKeys } from "./shared-ops.ts";
import type { ReplicaState, Sharing } from "./sharing.ts";
import { createSignalExchange } from "./signal-exchange.ts";
import { signalRecords } from "./signal-records.ts";
import { createSpendShares } from "./spend-shares.ts";
import { createUsageExchange, type SharedUsage } from "./usage-exchange.ts";
import { usageStream } from "./usage-stream.ts";

export interface ReplicaOptions {
  readonly deps: Deps;
  readonly events: Pick<EventLog, "append">;
  /** `cluster.url`, which was checked. */
  readonly url: string;
  readonly keyPlace: KeyPlace;
  readonly file: ReplicaFile;
  /** The record of turns, which is exchanged with the other replicas. */
  readonly usage: SharedUsage;
  /** The name of the proxy. */
  readonly name: () => string;
}

/** How often a replica compares itself with the engine, in addition to every announced change, ms. */
const INTERVAL_MS = 5_000;
/** Replicas that were connected within this time count when limits and work are divided, ms. */
const RECENT_MS = 10 * 60_000;
/** Longest wait for the engine at the start, at the end, and after a change of an operator, ms. */
const PATIENCE_MS = 3_000;

export function createReplica(options: ReplicaOptions): Sharing {
  const { deps, events, url, keyPlace, file, usage, name } = options;
  const { clock, log } = deps;
  const engine = createEngine({ url, pool: file.pool, deps });
  const keyring = createKeyring(keyPlace, file.pool, deps.random);
  const { sealer } = keyring;
  const nextKey = nextKeyReport(keyring, keyPlace, log);
  const records = poolRecords(engine, sealer, file.pool, keyring.use);
  const counts = createReplicaCounts();
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
  let members: readonly ReplicaState[] = [];
  let isOpen = false;
  let hasRead = false;
  let cancel: (() => void) | undefined;
  let isStopped = false;
  const waiting = new Set<() => void>();
  const exchange = createUsageExchange({
    deps,
    events,
    stream: usageStream({ engine, sealer, poolId: file.poolId, replica: file.replica }),
    usage,
    membership: `${file.poolId} ${file.replica}`,
    name,
    isReady: () => isOpen && degraded === undefined,
  });
  const warned = new Set<string>();

  const changed = (): void => {
    for (const wake of waiting) wake();
  };

  const within = async (ms: number, work: Promise<unknown>): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stopWaiting = clock.after(ms, resolve);
    await Promise.race([work.catch(() => {}), promise]);
    stopWaiting();
  };

  const warnOnce = (message: string): void => {
    if (!warned.has(message)) log.warn(message);
    warned.add(message);
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
    const { keyId } = sealer;
    const { runId, problems } = await engine.info();
    for (const { what, next } of problems) warnOnce(`${engine.shown}: ${what}; ${next}`);
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
    // What the engine has of signals was sealed with the old key, and is gone.
    signals.lost();
    log.info(`the key of the pool ${file.pool} was changed, and this replica uses the new one`);
  };

  const poll = async (): Promise<PoolState> => {
    const askedMs = clock.monotonic();
    const polled = await records.poll(file.replica, {
      name: name(),
      version: VERSION,
      next_key: nextKey(),
    });
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
    members = polled.members.map(({ id, about: { name, version }, agoMs }) => ({
      ...{ id, name, version },
      seenMs: clock.now() - agoMs,
    }));
    signals.polled(polled.signals);
    file.counted(polled.members.filter(({ agoMs }) => agoMs <= RECENT_MS).length);
    file.flush();
    if (polled.revision !== seen || hasChanges({ records, sealer, file, facts, log })) {
      await reconcile();
      // A change that another replica made meanwhile raises the revision again.
      seen = polled.revision;
      hasRead = true;
      changed();
    }
    succeeded();
    exchange.look(polled.sentRecords);
  };

  const sync = oneAtATime(async () => {
    try {
      await compare();
      counts.compared("done");
    } catch (error) {
      counts.compared("failed");
      failed(error);
      throw error;
    }
  });

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

  const turns = counts.counted(
    loginTurns({
      deps,
      records,
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
      nameOf: (replica) => members.find(({ id }) => id === replica)?.name ?? replica,
    }),
  );

  const leases = engineLeases({
    clock,
    lease: (jobs) => records.lease(file.replica, jobs),
    release: (jobs) => records.release(file.replica, jobs),
    isUsable: () => isOpen && degraded === undefined,
    replicas: file.replicas,
  });

  const countsContext = {
    clock,
    signals,
    replica: file.replica,
    replicas: file.replicas,
    isCutOff: () => degraded !== undefined,
  };
  const keyShares = createKeyShares(countsContext);

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
    switches: exchange,
    signals,
    leases,
    keyShares,
    spending: createSpendShares(countsContext),
    accounts: (ops) => sharedAccounts(ops, operator),
    keys: (ops) => sharedKeys(ops, operator),
    start: async (given) => {
      facts = given;
      reconcile = createReconciler({
        records,
        sealer,
        file,
        facts: given,
        log,
        renewed: counts.renewedElsewhere,
      });
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
        unsubscribed: (problem) =>
          warnOnce(
            `subscribing to the changes of the pool: ${fullMessageOf(problem)}; until then this replica notices changes up to ${INTERVAL_MS / 1000} s later`,
          ),
      });
      await within(PATIENCE_MS, sync());
      tick();
    },
    stop: async () => {
      isStopped = true;
      cancel?.();
      if (degraded === undefined) {
        await within(PATIENCE_MS, sync());
        keyShares.flush();
        await within(PATIENCE_MS, signals.flush());
        await within(PATIENCE_MS, leases.giveBackAll());
      }
      await within(PATIENCE_MS, exchange.stop());
      engine.close();
    },
    state: () => ({
      pool: file.pool,
      replica: file.replica,
      engine: engine.shown,
      degraded,
      pending: file.pending().length,
      replicas: members,
      hasRead,
      counts: counts.read(),
    }),
  };
}

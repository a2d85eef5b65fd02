// A replica of a pool: everything that it shares, over one connection to the engine.

import type { Deps } from "../deps.ts";
import { fullMessageOf } from "../errors.ts";
import type { EventLog } from "../state/events.ts";
import { createDegradation } from "./degradation.ts";
import { divideUse } from "./divided-use.ts";
import { createEngine } from "./engine.ts";
import { createEngineClock } from "./engine-clock.ts";
import type { KeyPlace } from "./key.ts";
import { createKeyring } from "./keyring.ts";
import { loginTurns } from "./login-turns.ts";
import { nextKeyReport } from "./next-key.ts";
import { createPoolLink, INTERVAL_MS } from "./pool-link.ts";
import { poolRecords } from "./pool-records.ts";
import { createReplicaCounts } from "./replica-counts.ts";
import { newId, type ReplicaFile } from "./replica-file.ts";
import { SETTLE_MS } from "./scripts.ts";
import { sharedAccounts, sharedKeys } from "./shared-ops.ts";
import type { Sharing } from "./sharing.ts";
import { createSignalExchange } from "./signal-exchange.ts";
import { signalRecords } from "./signal-records.ts";
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

/** Longest wait for the engine at the start, at the end, and after a change of an operator, ms. */
const PATIENCE_MS = 3_000;

export function createReplica(options: ReplicaOptions): Sharing {
  const { deps, events, url, keyPlace, file, usage, name } = options;
  const { clock, log } = deps;
  // Never stored, so a process on a copy of the root has another one.
  const processId = newId(deps);
  const engine = createEngine({ url, pool: file.pool, deps, processId });
  const keyring = createKeyring(keyPlace, file.pool, deps.random);
  const { sealer } = keyring;
  const nextKey = nextKeyReport(keyring, keyPlace, log);
  const records = poolRecords(engine, sealer, file.pool, keyring.use);
  const counts = createReplicaCounts();
  const degradation = createDegradation(deps, events, file.pool);
  const engineClock = createEngineClock(clock);
  const signals = createSignalExchange({
    deps,
    records: signalRecords(engine, file.pool),
    sealer,
    replica: file.replica,
    engineClock,
    poll: () => link.tick(),
  });
  let connectedAtMs: number | undefined;
  const warned = new Set<string>();
  const warn = (message: string): void => {
    if (!warned.has(message)) log.warn(message);
    warned.add(message);
  };
  const link = createPoolLink({
    ...{ deps, degradation, engine, engineClock, records, keyring, file, processId },
    ...{ counts, name, nextKey, warn },
    lost: signals.lost,
    polled: (state) => signals.polled(state.signals),
    compared: (state) => exchange.look(state.sentRecords),
  });
  const exchange = createUsageExchange({
    deps,
    events,
    stream: usageStream({ engine, sealer, poolId: file.poolId, replica: file.replica }),
    usage,
    membership: `${file.poolId} ${file.replica}`,
    name,
    isReady: () => link.isUsable,
  });

  const within = async (ms: number, work: Promise<unknown>): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stopWaiting = clock.after(ms, resolve);
    await Promise.race([work.catch(() => {}), promise]);
    stopWaiting();
  };

  const turns = counts.counted(
    loginTurns({
      deps,
      records,
      file,
      processId,
      facts: () => link.facts,
      sync: link.sync,
      nextChange: link.nextChange,
      takesOver: () => connectedAtMs !== undefined && clock.monotonic() - connectedAtMs >= SETTLE_MS,
      nameOf: (replica) => link.members.find(({ id }) => id === replica)?.name ?? replica,
    }),
  );

  const divided = divideUse({
    clock,
    records,
    signals,
    file,
    processId,
    isUsable: () => link.isUsable,
    isCutOff: () => degradation.now() !== undefined,
  });

  const operator = {
    aliasOf: (account: string) => link.facts?.aliasOf(account) ?? account,
    expect: file.expect,
    made: async (names: readonly string[]) => {
      file.confirm(names);
      await within(PATIENCE_MS, link.sync());
      if (file.pending().length > 0)
        log.warn(
          `the change was made here; the other replicas of ${file.pool} get it when the pool can be used again`,
        );
    },
  };

  return {
    turns,
    switches: exchange,
    signals,
    putBack: file.putBack,
    ...divided,
    accounts: (ops) => sharedAccounts(ops, operator),
    keys: (ops) => sharedKeys(ops, operator),
    start: async (given) => {
      link.use(given);
      await engine.connected(PATIENCE_MS).catch(degradation.failed);
      const subscription = Promise.withResolvers<void>();
      engine.watch({
        connected: () => {
          connectedAtMs = clock.monotonic();
          link.connected();
        },
        changed: link.tick,
        signalled: signals.received,
        subscribed: () => {
          subscription.resolve();
          signals.subscribed();
        },
        unsubscribed: (problem) => {
          subscription.resolve();
          warn(
            `subscribing to the changes of the pool: ${fullMessageOf(problem)}; until then this replica notices changes up to ${INTERVAL_MS / 1000} s later`,
          );
        },
      });
      // A turn of a process that is not subscribed yet could only be taken over when its lease has ended.
      if (degradation.now() === undefined) await within(PATIENCE_MS, subscription.promise);
      await within(PATIENCE_MS, link.sync());
      link.tick();
    },
    stop: async () => {
      link.stop();
      if (degradation.now() === undefined) {
        await within(PATIENCE_MS, link.sync());
        divided.keyShares.flush();
        await within(PATIENCE_MS, signals.flush());
        await within(PATIENCE_MS, divided.leases.giveBackAll());
      }
      await within(PATIENCE_MS, exchange.stop());
      if (degradation.now() === undefined) await within(PATIENCE_MS, link.signOff());
      engine.close();
    },
    state: () => ({
      pool: file.pool,
      replica: file.replica,
      engine: engine.shown,
      degraded: degradation.now(),
      pending: file.pending().length,
      replicas: link.members,
      hasRead: link.hasRead,
      counts: counts.read(),
    }),
  };
}

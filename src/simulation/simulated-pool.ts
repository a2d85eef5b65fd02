// The real pool over accounts that exist only as records. There is no backend, and nothing is written.

import { capacityOfQuota } from "../core/capacity.ts";
import type { ModelOffers } from "../core/catalogue.ts";
import { ownLimitFor } from "../core/meters.ts";
import type { MovedTurn } from "../core/pool-facts.ts";
import { judge } from "../core/verdict.ts";
import type { Clock } from "../deps.ts";
import { type AccountRecord, optionsOf } from "../state/account-record.ts";
import type { Store } from "../state/store.ts";
import type { Account } from "../upstream/account.ts";
import { createAffinity } from "../upstream/affinity.ts";
import { createPool, type Pool, type PoolSettings } from "../upstream/pool.ts";
import type { PoolObserver } from "../upstream/pool-observer.ts";

export interface SimulatedPoolOptions {
  readonly records: readonly AccountRecord[];
  readonly clock: Clock;
  readonly settings: PoolSettings;
  /** Default: no catalogue is known. */
  readonly offers?: ModelOffers["offers"] | undefined;
  /** Default: none. */
  readonly pastSwitches?: readonly MovedTurn[] | undefined;
  /** Default: the pool has no other replicas. */
  readonly observer?: PoolObserver | undefined;
}

export function createSimulatedPool({
  records,
  clock,
  settings,
  offers = () => undefined,
  pastSwitches = [],
  observer,
}: SimulatedPoolOptions): { readonly pool: Pool; readonly store: Store } {
  const store: Store = {
    state: {
      accounts: [...records],
      activeId: undefined,
      pinnedId: undefined,
      messageCounter: 0,
      lastRotationMs: 0,
    },
    touch: () => {},
    flush: () => {},
    close: () => {},
  };
  const pool = createPool({
    deps: { clock, log: { info: () => {}, warn: () => {} }, random: (bytes) => new Uint8Array(bytes) },
    store,
    affinity: createAffinity(),
    events: { append: () => {}, flush: () => {} },
    pastSwitches,
    settings: () => settings,
    self: () => ({ name: "p", id: "p" }),
    makeAccount: simulatedUpstream,
    children: () => [],
    models: () => ({ offers }),
    observer,
  });
  return { pool, store };
}

// --- internal ---

/** An account that can be chosen, but to which nothing can be sent. */
function simulatedUpstream(record: AccountRecord): Account {
  const options: Account["options"] = (view) => optionsOf(record, view.fileOptions);
  const noRequests = { kind: "failed", why: "a simulation sends no requests" } as const;
  return {
    id: record.id,
    label: record.alias,
    kind: "account",
    where: "the simulation",
    named: { account_id: record.id },
    failsOver: new Set(),
    judge,
    options,
    capacity: (view) => capacityOfQuota(record.quota, view, options(view)),
    ownLimit: ({ model, refusedBy }) => ownLimitFor(record.quota, model, refusedBy),
    refuses: () => false,
    meter: () => undefined,
    patienceMs: (configuredMs) => configuredMs,
    prepare: async () => ({ kind: "unready", verdict: { kind: "client" }, why: noRequests.why }),
    noteVerdict: () => {},
    retire: () => "",
    renew: async () => noRequests,
    renewAhead: async () => undefined,
    forget: () => {},
  };
}

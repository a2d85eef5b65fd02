// What all parts of a running proxy need: the store, the settings, the event log.

import { reconcile } from "../auth/homes.ts";
import { identityOf, twinProblems } from "../auth/identity.ts";
import type { Hop } from "../core/hops.ts";
import type { Deps } from "../deps.ts";
import type { TrafficMetrics } from "../metrics/traffic.ts";
import type { Outbound } from "../network/egress.ts";
import type { LiveConfig } from "../state/config-watch.ts";
import type { WatchedEventLog } from "../state/events.ts";
import type { Layout } from "../state/layout.ts";
import { makePlausible } from "../state/record-changes.ts";
import type { RootOwner } from "../state/root-owner.ts";
import { openStore, type Store } from "../state/store.ts";
import type { UsageStore } from "../state/usage/usage-store.ts";

/** The objects that all other parts need. */
export interface Base {
  readonly layout: Layout;
  readonly live: LiveConfig;
  readonly deps: Deps;
  readonly events: WatchedEventLog;
  readonly store: Store;
  readonly usage: UsageStore;
  readonly traffic: TrafficMetrics;
  readonly owner: RootOwner;
  readonly outbound: Outbound;
  /** This proxy as a hop. Every start generates a new id. */
  readonly self: () => Hop;
}

/**
 * Opens the root's store, reconciles it with the account directories, and writes it. Throws `store_unreadable`,
 * `file_unusable`.
 */
export function openState(layout: Layout, live: LiveConfig, deps: Deps, owner: RootOwner): Store {
  const store = openStore(layout.store, () => live.file().proxy.upstream_base_url, deps, { owner });
  for (const { message } of reconcile(store.state, layout, deps.clock.now())) deps.log.warn(message);
  for (const problem of twinProblems(store.state.accounts.map(identityOf))) deps.log.warn(problem);
  for (const record of store.state.accounts) makePlausible(record, deps.clock.now());
  store.touch();
  store.flush();
  return store;
}

// Builds the pool of a running proxy, and its background jobs.

import { homesChanged, reconcile } from "../auth/homes.ts";
import { createRefreshLane, tokenUrlOf } from "../auth/refresh.ts";
import type { Sharing } from "../cluster/sharing.ts";
import { concurrencyOf } from "../state/account-record.ts";
import { minWaitOf } from "../state/auto-redeem-settings.ts";
import { createAccount } from "../upstream/account.ts";
import { createAccountSignals } from "../upstream/account-signals.ts";
import { createAffinity } from "../upstream/affinity.ts";
import { createApiAccount } from "../upstream/api-account.ts";
import { createAutoRedeemer } from "../upstream/auto-redeemer.ts";
import { createBindingSignals } from "../upstream/binding-signals.ts";
import { createCatalogues } from "../upstream/catalogues.ts";
import { createChildren } from "../upstream/children.ts";
import { createCredentialCare } from "../upstream/credential-care.ts";
import { createForecaster } from "../upstream/forecaster.ts";
import { loggedSwitches } from "../upstream/logged-switches.ts";
import { createPool, type Pool } from "../upstream/pool.ts";
import { poolSettings } from "../upstream/pool-settings.ts";
import { createPooledResets } from "../upstream/pooled-resets.ts";
import { createRedeemer } from "../upstream/redeemer.ts";
import { createRefresher } from "../upstream/refresher.ts";
import { createResetCreditReader } from "../upstream/reset-credits.ts";
import { createRouting } from "../upstream/routing.ts";
import { shareWork } from "../upstream/shared-work.ts";
import type { Base } from "./base.ts";

/** The pool and its background jobs. `sharing`: what this proxy shares with the other replicas of the pool. */
export function poolParts(
  { layout, live, deps, events, store, usage, traffic, self, owner, outbound }: Base,
  sharing: Sharing,
) {
  const config = () => live.current();
  const tokenUrl = tokenUrlOf(deps);
  const lane = createRefreshLane(
    deps,
    () => ({ tokenUrl, timeoutMs: config().proxy.usage_timeout_ms, outbound }),
    traffic.refreshed,
    sharing.turns,
  );
  const accountContext = {
    deps,
    lane,
    routing: createRouting(deps),
    outbound,
    baseUrl: () => config().proxy.upstream_base_url,
    cooldownMs: () => config().proxy.cooldown_default_seconds * 1000,
  };
  const apiContext = {
    clock: deps.clock,
    store,
    outbound,
    prices: () => config().prices,
    spending: sharing.spending,
  };
  const affinity = createAffinity({ path: layout.sessions, deps, owner });
  const children = createChildren({
    deps,
    events,
    outbound,
    urls: () => config().proxy.child_proxy_urls,
    self,
    refreshTimeoutMs: () => config().proxy.usage_timeout_ms,
  });
  const replica = sharing.state()?.replica;
  const accountSignals =
    replica === undefined
      ? undefined
      : createAccountSignals({
          ...sharing,
          clock: deps.clock,
          store,
          replica,
          concurrency: (record) => concurrencyOf(record, config().accounts),
        });
  const bindings = replica === undefined ? undefined : createBindingSignals(sharing.signals, affinity);
  const pool = createPool({
    deps,
    store,
    events,
    affinity,
    pastSwitches: loggedSwitches(layout.events),
    shareSwitch: sharing.switches.send,
    settings: () => poolSettings(config()),
    self,
    makeAccount: (record) =>
      record.billing === undefined
        ? createAccount(record, accountContext)
        : createApiAccount(record, apiContext),
    children: children.list,
    models: () => catalogues,
    observer: accountSignals,
  });
  accountSignals?.start(pool);
  const catalogues = createCatalogues({ deps, events, pool, self, serving: pool.serving });
  const resetCredits = createResetCreditReader({
    deps,
    store,
    pool,
    events,
    settings: () => ({ timeoutMs: config().proxy.usage_timeout_ms }),
  });
  const refresher = createRefresher({
    deps,
    store,
    pool,
    events,
    resetCredits,
    leases: sharing.leases,
    settings: () => ({
      intervalMs: config().quota.refresh_interval_minutes * 60_000,
      intervalMessages: config().quota.refresh_interval_messages,
      timeoutMs: config().proxy.usage_timeout_ms,
    }),
  });
  const redeemer = createRedeemer({
    store,
    pool,
    events,
    refresher,
    resetCredits,
    settings: () => ({ timeoutMs: config().proxy.usage_timeout_ms }),
  });
  const autoRedeemer = createAutoRedeemer({
    deps,
    store,
    pool,
    redeemer,
    leases: sharing.leases,
    settings: () => {
      const { when, min_wait, keep, per_day } = config().policy.auto_redeem;
      return { when, minWaitMs: minWaitOf(min_wait) ?? 0, keep, perDay: per_day };
    },
  });
  const resets = createPooledResets({ store, redeemer, view: pool.view });
  const care = createCredentialCare({
    deps,
    store,
    pool,
    lane,
    events,
    enrol: () => enrolFromDisk({ layout, deps, events, store, owner }, pool),
  });
  const forecaster = createForecaster({ deps, pool, usage, isRecording: () => config().usage.enabled });
  const sharedWork = replica === undefined ? undefined : shareWork({ deps, signals: sharing.signals, store });
  return {
    sharedWork,
    pool,
    accountSignals,
    affinity,
    bindings,
    children,
    catalogues,
    resetCredits,
    refresher,
    redeemer,
    autoRedeemer,
    resets,
    care,
    forecaster,
  };
}

export type PoolParts = ReturnType<typeof poolParts>;

// --- internal ---

/** Enrols accounts whose directories were added by hand, and drops those whose directories were removed. */
function enrolFromDisk(
  { layout, deps, events, store, owner }: Pick<Base, "layout" | "deps" | "events" | "store" | "owner">,
  pool: Pool,
): void {
  const { state } = store;
  // If the root was moved, its account directories are missing, but the accounts were not removed.
  if (!owner.isOurs() || !homesChanged(state, layout)) return;
  const before = new Map(state.accounts.map(({ id, alias }) => [id, alias]));
  for (const { message } of reconcile(state, layout, deps.clock.now())) deps.log.warn(message);
  pool.sync();
  store.touch();
  for (const { id, alias } of state.accounts)
    if (!before.delete(id)) {
      events.append("account.imported", { account_id: id });
      deps.log.info(`enrolled account ${alias}, which was added below ${layout.accounts}`);
    }
  for (const [id, alias] of before) {
    events.append("account.removed", { account_id: id });
    deps.log.warn(`dropped account ${alias}, because its directory below ${layout.accounts} was removed`);
  }
}

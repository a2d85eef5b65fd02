// Builds the parts of a running proxy from their common base: the store, the settings, the event log.

import type { AdminContext } from "../admin/app.ts";
import { createAccess, secretsOf } from "../auth/access.ts";
import { createAccountOps } from "../auth/account-ops.ts";
import { createChallenges } from "../auth/challenges.ts";
import { homesChanged, reconcile } from "../auth/homes.ts";
import { identityOf, twinProblems } from "../auth/identity.ts";
import { openKeys } from "../auth/keys.ts";
import { createRefreshLane, tokenUrlOf } from "../auth/refresh.ts";
import { secretFile } from "../auth/secrets.ts";
import { createServerLogins } from "../codex/login.ts";
import type { Hop } from "../core/hops.ts";
import type { ListenAddress } from "../core/listen.ts";
import { shortStatus } from "../core/short-status.ts";
import { shortFacts } from "../core/status.ts";
import { createDashboard } from "../dashboard/app.ts";
import { dashboardProblem } from "../dashboard/problem.ts";
import { createSessions, LINK_LIFETIME_MS } from "../dashboard/sessions.ts";
import type { Deps } from "../deps.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { TrafficMetrics } from "../metrics/traffic.ts";
import type { Outbound } from "../network/egress.ts";
import type { Notifier } from "../notify/notifier.ts";
import { createAdmission } from "../proxy/admission.ts";
import type { WaitingTurns } from "../proxy/waiting-turns.ts";
import { shownSettings } from "../state/config-source.ts";
import type { LiveConfig } from "../state/config-watch.ts";
import type { WatchedEventLog } from "../state/events.ts";
import { homeToCheck, type Layout } from "../state/layout.ts";
import { makePlausible } from "../state/record-changes.ts";
import type { RootOwner } from "../state/root-owner.ts";
import { openStore, type Store } from "../state/store.ts";
import type { UsageStore } from "../state/usage/usage-store.ts";
import { createAccount } from "../upstream/account.ts";
import { createAffinity } from "../upstream/affinity.ts";
import { anchorStatus } from "../upstream/anchor-status.ts";
import { createCatalogues } from "../upstream/catalogues.ts";
import { createChildren } from "../upstream/children.ts";
import { createCredentialCare } from "../upstream/credential-care.ts";
import { detailsOf, optionSources } from "../upstream/details.ts";
import { createForecaster } from "../upstream/forecaster.ts";
import { createPool, type Pool } from "../upstream/pool.ts";
import { poolSettings } from "../upstream/pool-settings.ts";
import { createRefresher } from "../upstream/refresher.ts";
import { createRouting } from "../upstream/routing.ts";
import type { Presence } from "./presence.ts";

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

/** The pool and its background jobs. */
export function poolParts({
  layout,
  live,
  deps,
  events,
  store,
  usage,
  traffic,
  self,
  owner,
  outbound,
}: Base) {
  const config = () => live.current();
  const tokenUrl = tokenUrlOf(deps);
  const lane = createRefreshLane(
    deps,
    () => ({ tokenUrl, timeoutMs: config().proxy.usage_timeout_ms, outbound }),
    traffic.refreshed,
  );
  const accountContext = {
    deps,
    lane,
    routing: createRouting(deps),
    outbound,
    baseUrl: () => config().proxy.upstream_base_url,
    cooldownMs: () => config().proxy.cooldown_default_seconds * 1000,
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
  const pool = createPool({
    deps,
    store,
    events,
    affinity,
    settings: () => poolSettings(config()),
    self,
    makeAccount: (record) => createAccount(record, accountContext),
    children: children.list,
    models: () => catalogues,
  });
  const catalogues = createCatalogues({ deps, events, pool, self, serving: pool.serving });
  const refresher = createRefresher({
    deps,
    store,
    pool,
    events,
    settings: () => ({
      intervalMs: config().quota.refresh_interval_minutes * 60_000,
      intervalMessages: config().quota.refresh_interval_messages,
      timeoutMs: config().proxy.usage_timeout_ms,
    }),
  });
  const care = createCredentialCare({
    deps,
    store,
    pool,
    lane,
    events,
    enrol: () => enrolFromDisk({ layout, deps, events, store, owner }, pool),
  });
  const forecaster = createForecaster({ deps, pool, usage, isRecording: () => config().usage.enabled });
  return { pool, affinity, children, catalogues, refresher, care, forecaster };
}

export interface AdminNeeds {
  readonly presence: Presence;
  readonly notifier: Pick<Notifier, "test">;
  readonly metrics: Pick<Metrics, "scrape">;
  readonly waiting: Pick<WaitingTurns, "summary">;
  readonly listen: ListenAddress;
}

/** The context of the admin API: account operations, keys, access and logins. */
export function adminParts(
  { layout, live, deps, events, store, usage, owner, self }: Base,
  { pool, affinity, children, catalogues, refresher, forecaster }: ReturnType<typeof poolParts>,
  { presence, notifier, metrics, waiting, listen }: AdminNeeds,
) {
  const fileSource = (key: string) => live.effective().sources.get(key);
  const accounts = createAccountOps({
    store,
    layout,
    deps,
    upstream: () => live.file().proxy.upstream_base_url,
    fileOptions: () => live.current().accounts,
    details: async (record) =>
      detailsOf(
        {
          layout,
          affinity,
          facts: pool.facts,
          view: pool.view,
          forecasts: await forecaster.latest(),
          events,
          fileSource,
        },
        record,
      ),
    changed: (change, record) => {
      pool.sync();
      if (record !== undefined) pool.accountOf(record.id)?.forget();
      events.append(`account.${change}`, { account_id: record?.id });
    },
  });
  const adminToken = secretFile(layout.adminToken, deps.random);
  const keys = openKeys(layout.keys, {
    ...deps,
    removed: (id) => admission.end(id),
    useFile: { path: layout.keyUse, isOurs: owner.isOurs },
  });
  const port = () => Number(new URL(url).port || 80);
  const challenges = createChallenges({
    ...deps,
    secretOf: secretsOf(adminToken, keys),
    port,
  });
  const access = createAccess({
    ...deps,
    adminToken,
    signingKey: secretFile(layout.signingKey, deps.random),
    keys,
    challenges,
  });
  const admission = createAdmission(access, () => live.current().proxy.client_auth);
  const sessions = createSessions(deps);
  const problem = () => dashboardProblem(live.current().dashboard, listen);
  const startedMs = deps.clock.now();
  let url = "";
  let draining = false;
  const context: AdminContext = {
    deps,
    pool,
    self,
    children,
    refresher,
    runtimeHome: () => homeToCheck(layout),
    accounts,
    logins: createServerLogins({
      layout,
      deps,
      command: () => live.current().commands.login,
      ops: accounts,
    }),
    access,
    challenges,
    keys,
    events,
    eventsPath: layout.events,
    presence,
    testNotifications: notifier.test,
    dashboardLink: () => {
      const why = problem();
      if (why !== undefined) throw why;
      return { token: sessions.newLink(), lifetimeMs: LINK_LIFETIME_MS };
    },
    shortStatus: () =>
      live.current().proxy.proxy_url === "" ? shortStatus(shortFacts(pool.outline())) : undefined,
    settings: () => shownSettings(live.effective()),
    forecasts: forecaster.latest,
    anchoring: () =>
      anchorStatus({
        accounts: store.state.accounts,
        settings: live.current().anchor,
        offers: catalogues.offers,
        nowMs: deps.clock.now(),
      }),
    usage,
    metrics,
    waiting,
    usageSettings: () => {
      const { usage: settings, prices } = live.current();
      return { keepDays: settings.keep_days, prices };
    },
    about: () => ({
      name: live.current().proxy.name,
      root: layout.root,
      url,
      draining,
      pid: process.pid,
      startedMs,
      tokenUrl: tokenUrlOf(deps),
    }),
  };
  const dashboard = createDashboard({
    ...context,
    forecasts: forecaster.current,
    usage,
    events,
    pool,
    affinity,
    sessions,
    problem,
    port,
    options: () => store.state.accounts.map((record) => [record.id, optionSources(record, fileSource)]),
  });
  return {
    context,
    dashboard,
    access,
    admission,
    /** Writes all delayed changes to disk. */
    flush: keys.flush,
    listensOn: (address: string) => {
      url = address;
    },
    drains: () => {
      draining = true;
    },
  };
}

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

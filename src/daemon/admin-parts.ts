// Builds what the operators of a running proxy use: account operations, keys, the admin API and the dashboard.

import type { AdminContext } from "../admin/app.ts";
import { clusterField } from "../admin/sharing-fields.ts";
import { createAccess, secretsOf } from "../auth/access.ts";
import { createAccountOps } from "../auth/account-ops.ts";
import { createChallenges } from "../auth/challenges.ts";
import { openKeys } from "../auth/keys.ts";
import { tokenUrlOf } from "../auth/refresh.ts";
import { secretFile } from "../auth/secrets.ts";
import type { Sharing } from "../cluster/sharing.ts";
import { createServerLogins } from "../codex/login.ts";
import type { ListenAddress } from "../core/listen.ts";
import { shortStatus } from "../core/short-status.ts";
import { shortFacts } from "../core/status.ts";
import { createDashboard } from "../dashboard/app.ts";
import { dashboardProblem } from "../dashboard/problem.ts";
import { createSessions, LINK_LIFETIME_MS } from "../dashboard/sessions.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Notifier } from "../notify/notifier.ts";
import { createAdmission } from "../proxy/admission.ts";
import type { SlotQueue } from "../proxy/slot-queue.ts";
import type { WaitingTurns } from "../proxy/waiting-turns.ts";
import { shownSettings } from "../state/config-source.ts";
import { homeToCheck } from "../state/layout.ts";
import { anchorStatus } from "../upstream/anchor-status.ts";
import { detailsOf, optionSources } from "../upstream/details.ts";
import type { Base } from "./base.ts";
import type { PoolParts } from "./pool-parts.ts";
import type { Presence } from "./presence.ts";

export interface AdminNeeds {
  readonly presence: Presence;
  readonly notifier: Pick<Notifier, "test">;
  readonly metrics: Pick<Metrics, "scrape">;
  readonly waiting: Pick<WaitingTurns, "summary">;
  readonly slots: Pick<SlotQueue, "count">;
  readonly listen: ListenAddress;
  readonly sharing: Sharing;
}

/** The context of the admin API: account operations, keys, access and logins. */
export function adminParts(
  { layout, live, deps, events, store, usage, owner, self }: Base,
  {
    pool,
    accountSignals,
    affinity,
    children,
    catalogues,
    refresher,
    redeemer,
    resets,
    forecaster,
  }: PoolParts,
  { presence, notifier, metrics, waiting, slots, listen, sharing }: AdminNeeds,
) {
  const fileSource = (key: string) => live.effective().sources.get(key);
  const ownAccounts = createAccountOps({
    store,
    layout,
    deps,
    upstream: () => live.file().proxy.upstream_base_url,
    fileOptions: () => live.current().accounts,
    redeemer,
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
      if (record !== undefined) accountSignals?.operated(change, record);
      events.append(`account.${change}`, { account_id: record?.id });
    },
  });
  const accounts = sharing.accounts(ownAccounts);
  const adminToken = secretFile(layout.adminToken, deps.random);
  const keys = openKeys(layout.keys, {
    ...deps,
    removed: (id) => admission.end(id),
    useFile: { path: layout.keyUse, isOurs: owner.isOurs },
    shares: sharing.keyShares,
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
    keys: sharing.keys(keys),
    sharing: sharing.state,
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
      live.current().proxy.proxy_url === ""
        ? shortStatus({ ...shortFacts(pool.outline()), ...clusterField(sharing.state()) })
        : undefined,
    settings: () => shownSettings(live.effective()),
    forecasts: forecaster.latest,
    anchoring: () =>
      anchorStatus({
        accounts: store.state.accounts,
        settings: live.current().anchor,
        offers: catalogues.offers,
        nowMs: deps.clock.now(),
      }),
    resets,
    usage,
    metrics,
    waiting,
    slots,
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
    keys,
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

// Starts the proxy on a root, and stops it in order. Only the files of this directory construct the parts.

import { publicPaths, quickRoutes, trustedApp } from "../admin/app.ts";
import { identityMarkOf } from "../auth/identity.ts";
import { openTurns } from "../auth/open-turns.ts";
import type { Hop } from "../core/hops.ts";
import { isWildcard, parseListen } from "../core/listen.ts";
import type { Deps } from "../deps.ts";
import { type CodexlbError, messageOf } from "../errors.ts";
import { createTrafficMetrics } from "../metrics/traffic.ts";
import { createOutbound } from "../network/egress.ts";
import { trustOf } from "../network/trust.ts";
import { createBodyBudget } from "../proxy/body-budget.ts";
import { CONNECTION_LIMITS, type ConnectionLimits } from "../proxy/connections.ts";
import type { ProxyContext } from "../proxy/context.ts";
import { createGuard } from "../proxy/guard.ts";
import { createHandovers } from "../proxy/handovers.ts";
import { createPathGate } from "../proxy/path-gate.ts";
import { createRetryBudget } from "../proxy/retry-budget.ts";
import { startServer } from "../proxy/server.ts";
import { createSlotQueue } from "../proxy/slot-queue.ts";
import { createMovedTurns } from "../proxy/turn/moved-turns.ts";
import { createWaitingTurns } from "../proxy/waiting-turns.ts";
import { makePrivateDirectory } from "../state/atomic-file.ts";
import { type ConfigOverrides, prepareConfigFile, withoutSecrets } from "../state/config-source.ts";
import { createLiveConfig, WATCH_INTERVAL_MS } from "../state/config-watch.ts";
import { systemDescriptors } from "../state/descriptors.ts";
import { type EventLog, openEventLog } from "../state/events.ts";
import type { Layout } from "../state/layout.ts";
import { makePrivate } from "../state/private-root.ts";
import { ownRoot, type RootOwner } from "../state/root-owner.ts";
import { createUsageStore } from "../state/usage/usage-store.ts";
import { urlFor, urlOf } from "./addresses.ts";
import { adminParts } from "./admin-parts.ts";
import { listenOnSocket } from "./admin-socket.ts";
import { anchorerOf } from "./anchoring.ts";
import { type Base, openState } from "./base.ts";
import { watchClock } from "./clock-watch.ts";
import { notifierOf } from "./notifications.ts";
import {
  drainSettings,
  guardSettings,
  proxySettings,
  retrySettings,
  usageSettings,
} from "./part-settings.ts";
import { poolParts } from "./pool-parts.ts";
import { createPresence } from "./presence.ts";
import { metricsOf, turnsOf } from "./proxy-metrics.ts";
import { reloading } from "./reload.ts";
import { noteReplicaSwitch, sharedFacts, sharingOf } from "./sharing.ts";
import { passed } from "./shutdown.ts";
import { listeningAt, rootInUse } from "./start-conflicts.ts";
import { tracingOf } from "./tracing.ts";

export interface Daemon {
  readonly name: string;
  /** Where commands on this machine connect, e.g. `http://127.0.0.1:8765`. */
  readonly url: string;
  /** The listen address as a URL. Differs from `url` if the proxy listens on all addresses: `http://0.0.0.0:8765`. */
  readonly listensOn: string;
  /** The backend's URL, without a password. */
  readonly upstream: string;
  readonly accountCount: number;
  readonly childCount: number;
  /** The number of requests in flight. */
  inFlight(): number;
  /** How long a shutdown still accepts requests and then waits for those in flight, by the current settings. */
  drain(): { readonly delayMs: number; readonly timeoutMs: number };
  /** Reloads the settings immediately instead of within a second. Returns false if the file is unchanged. */
  reload(): boolean;
  /**
   * Resolves to an error when the root is moved, removed or replaced. From then on the daemon writes nothing, and the
   * caller must stop it.
   */
  readonly lost: Promise<CodexlbError>;
  /** Resolves when no client uses `/admin/presence` any more. */
  deserted(): Promise<void>;
  /**
   * Waits as `drain` says, or until `hurry` is aborted, writes the state and releases the root. From the first moment
   * on `/readyz` returns 503. A second call waits for the first.
   */
  stop(reason: string, hurry?: AbortSignal): Promise<void>;
}

/** How long the start waits for child proxies at most. */
const FIRST_LOOK_MS = 1_000;
/** Long enough for a command that changes accounts, which locks the root for milliseconds only. */
const LOCK_WAIT_MS = 500;
/** The token endpoint gets at least this time to answer at shutdown, even if `drain_timeout_seconds` is shorter, ms. */
const RENEWAL_MS = 3_000;

/**
 * Starts the proxy on `layout`'s root, which it owns until `stop`. Throws `root_locked`, `invalid_config`,
 * `root_not_private`, `store_unreadable`, `listen_failed`.
 */
export async function startDaemon(
  layout: Layout,
  flags: ConfigOverrides,
  deps: Deps,
  limits: ConnectionLimits = CONNECTION_LIMITS,
): Promise<Daemon> {
  makePrivateDirectory(layout.root);
  makePrivate(layout, deps.log);
  const owner = await ownRoot(layout, deps, LOCK_WAIT_MS);
  if (owner === undefined) throw await rootInUse(layout);
  try {
    const daemon = await run(layout, flags, deps, owner, limits);
    let stopped: Promise<void> | undefined;
    return {
      ...daemon,
      stop: (reason, hurry) => {
        stopped ??= daemon.stop(reason, hurry).then(owner.release);
        return stopped;
      },
    };
  } catch (error) {
    owner.release();
    throw error;
  }
}

// --- internal ---

async function run(
  layout: Layout,
  flags: ConfigOverrides,
  deps: Deps,
  owner: RootOwner,
  limits: ConnectionLimits,
): Promise<Daemon> {
  const fallbackName = `proxy-${Buffer.from(deps.random(4)).toString("hex")}`;
  const text = prepareConfigFile(layout, deps);
  const live = createLiveConfig({ deps, path: layout.config, text, flags, fallbackName });
  const { proxy } = live.current();
  // Read the certificates now, so that an unusable file fails the start and not a later request.
  trustOf(deps.env);
  const outbound = createOutbound({ env: deps.env, setting: () => live.current().proxy.outbound_proxy });
  const listen = parseListen(proxy.listen);
  if (listen === undefined) throw new Error(`proxy.listen was checked and is ${proxy.listen}`);
  const traffic = createTrafficMetrics();
  const events = openEventLog(layout.events, deps, { owner, seen: traffic.event });
  const id = Buffer.from(deps.random(8)).toString("hex");
  const self = (): Hop => ({ name: live.current().proxy.name, id });
  const store = openState(layout, live, deps, owner);
  const usage = createUsageStore({
    path: layout.usage,
    deps,
    events,
    owner,
    settings: () => usageSettings(live.current()),
    identityOf: (id) => {
      const record = store.state.accounts.find((account) => account.id === id);
      return record && identityMarkOf(record);
    },
  });
  const base: Base = { layout, live, deps, events, store, usage, traffic, owner, outbound, self };
  const sharing = await sharingOf(base);
  const renewals = openTurns(sharing.turns);
  const parts = poolParts(base, { ...sharing, turns: renewals.turns });
  // Wait for the child proxies, so that the first request can use them unless they are slow.
  await parts.children.start(parts.pool, FIRST_LOOK_MS);
  const notifier = notifierOf(base, parts.pool, sharing);
  const presence = createPresence(deps.clock);
  const descriptors = systemDescriptors();
  const tracing = await tracingOf(base);
  const waiting = createWaitingTurns({
    clock: deps.clock,
    pool: parts.pool,
    events,
    waitForReset: () => live.current().proxy.wait_for_reset,
  });
  const slots = createSlotQueue({ clock: deps.clock, pool: parts.pool, events });
  const metrics = metricsOf(base, parts.pool, { descriptors, waiting, slots, tracing, sharing });
  const admin = adminParts(base, parts, { presence, notifier, metrics, waiting, slots, listen, sharing });
  const drain = () => drainSettings(live.current());
  const forwarding: ProxyContext = {
    deps,
    pool: parts.pool,
    events,
    self,
    movedTurns: createMovedTurns(deps.clock),
    waiting,
    slots,
    counts: traffic,
    turns: turnsOf(base),
    beginTrace: tracing?.begin,
    settings: () => proxySettings(live.current()),
    retries: createRetryBudget(() => retrySettings(live.current()), parts.pool.inFlight),
    bodies: createBodyBudget(deps.clock),
    catalogues: parts.catalogues,
    resets: parts.resets,
    bindings: parts.bindings,
  };
  const server = await listeningAt(urlOf(listen, listen.port), () =>
    orReport(events, () =>
      startServer(listen, {
        ...forwarding,
        handovers: createHandovers(),
        noteBypass: notifier.noteBypass,
        local: publicPaths(admin.context, admin.access, admin.admission, traffic),
        dashboard: admin.dashboard,
        admission: admin.admission,
        guard: createGuard(listen, () => guardSettings(live.current()), admin.access, deps),
        gate: createPathGate({ deps, events, allowedPaths: () => live.current().proxy.allowed_paths }),
        descriptors,
        limits,
      }),
    ),
  );
  const url = urlOf(listen, server.port);
  admin.listensOn(url);
  const adminServer = orReport(events, () => {
    try {
      return listenOnSocket(layout.adminSocket, deps, {
        routes: quickRoutes(admin.context),
        fetch: trustedApp(admin.context).fetch,
      });
    } catch (error) {
      void server.stop(Promise.resolve());
      throw error;
    }
  });
  sharing.switches.take((moved) => noteReplicaSwitch(base, parts.pool, moved));
  await sharing.start(sharedFacts(base, parts.pool, admin.keys));
  const upstream = String(withoutSecrets(proxy.upstream_base_url));
  events.append("proxy.started", {
    proxy_name: proxy.name,
    listen: url.slice("http://".length),
    upstream,
  });
  events.append("config.reload_watcher_started", { path: layout.config, interval_ms: WATCH_INTERVAL_MS });
  // The first line of output names the log, so a reader may open it immediately.
  events.flush();
  live.start(reloading(base, parts.children));
  const anchorer = anchorerOf(base, parts, forwarding, sharing.leases);
  const unwatchClock = watchClock({ ...base, children: parts.children.list });
  const { care, refresher, forecaster, autoRedeemer } = parts;
  for (const job of [care, refresher, forecaster, anchorer, autoRedeemer, notifier]) job.start();
  parts.sharedWork?.start();

  return {
    name: proxy.name,
    url,
    listensOn: isWildcard(listen.host) ? urlFor(listen.host, server.port) : url,
    upstream,
    accountCount: base.store.state.accounts.length,
    childCount: parts.children.list().length,
    inFlight: parts.pool.inFlight,
    drain,
    reload: live.look,
    deserted: presence.deserted,
    lost: owner.lost,
    stop: async (reason, hurry) => {
      admin.drains();
      events.append("proxy.stopping", { signal: reason });
      await passed(deps, drain().delayMs, hurry);
      live.stop();
      unwatchClock();
      anchorer.stop();
      autoRedeemer.stop();
      refresher.stop();
      parts.sharedWork?.stop();
      parts.children.stop();
      parts.catalogues.stop();
      admin.context.logins.stop();
      admin.dashboard.close();
      waiting.stop();
      slots.stop();
      const notified = notifier.stop();
      const deadline = passed(deps, drain().timeoutMs, hurry);
      await server.stop(deadline);
      await notified;
      await tracing?.stop();
      await adminServer.stop();
      care.stop();
      // The new login of a renewal that is cut off would be lost.
      await Promise.race([renewals.ended(), Promise.all([deadline, passed(deps, RENEWAL_MS)])]);
      parts.accountSignals?.stop();
      await sharing.stop();
      parts.affinity.flush();
      if (owner.isOurs()) admin.flush();
      base.store.close();
      forecaster.stop();
      usage.stop();
      metrics.stop();
      events.flush();
    },
  };
}

/** Also writes a failure to start to the event log, because the output of a service is easily missed. */
function orReport<T>(events: EventLog, start: () => T): T {
  try {
    return start();
  } catch (error) {
    events.append("proxy.error", { error: messageOf(error) });
    events.flush();
    throw error;
  }
}

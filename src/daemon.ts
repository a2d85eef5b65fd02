// The composition root: the only file that constructs things. Starts the proxy on a root, and stops it in order.

import { chmodSync, rmSync } from "node:fs";
import { publicPaths, trustedApp } from "./admin/app.ts";
import { createAccountOps } from "./auth/account-ops.ts";
import { reconcile } from "./auth/homes.ts";
import { createRefreshLane, DEFAULT_TOKEN_URL } from "./auth/refresh.ts";
import { signingKeyOf } from "./auth/stub.ts";
import type { Deps } from "./deps.ts";
import { CodexlbError, messageOf } from "./errors.ts";
import type { ProxySettings } from "./proxy/context.ts";
import { createGuard, isLoopback, type ListenAddress, parseListen } from "./proxy/guard.ts";
import { createHandovers } from "./proxy/handovers.ts";
import { startServer } from "./proxy/server.ts";
import { makePrivateDirectory } from "./state/atomic-file.ts";
import type { Config } from "./state/config.ts";
import { type ConfigOverrides, readOrCreateConfig, withOverrides } from "./state/config-source.ts";
import { type EventLog, openEventLog } from "./state/events.ts";
import type { Layout } from "./state/layout.ts";
import { waitForLock } from "./state/lock.ts";
import { openStore } from "./state/store.ts";
import { createAccount } from "./upstream/account.ts";
import { createAffinity } from "./upstream/affinity.ts";
import { createPool, type PoolSettings } from "./upstream/pool.ts";
import { createRefresher } from "./upstream/refresher.ts";
import { createRouting } from "./upstream/routing.ts";

export interface Daemon {
  readonly name: string;
  /** Where clients connect, e.g. `http://127.0.0.1:8765`. */
  readonly url: string;
  readonly upstream: string;
  readonly accountCount: number;
  /** Finishes what is under way, writes the state and lets go of the root. */
  stop(reason: string): Promise<void>;
}

/** How long requests under way may go on when the daemon stops: the Go program's value. */
const STOP_DEADLINE_MS = 5_000;
/** A command that changes accounts holds the root for milliseconds; another proxy holds it for good. */
const LOCK_WAIT_MS = 500;
/** The kernel's bound on the path of a unix socket, less the final zero. */
const SOCKET_PATH_LIMIT = 103;

/**
 * Starts the proxy on `layout`'s root, which it owns until `stop`. Throws `root_locked`, `invalid_config`,
 * `store_unreadable`, `listen_failed`.
 */
export async function startDaemon(layout: Layout, flags: ConfigOverrides, deps: Deps): Promise<Daemon> {
  const { clock, env, log } = deps;
  makePrivateDirectory(layout.root);
  const lock = await waitForLock(layout.lock, LOCK_WAIT_MS);
  if (lock === undefined)
    throw new CodexlbError("root_locked", `another codexlb proxy runs on ${layout.root}`, {
      next: "stop it first, or give this one another --root",
    });
  try {
    const fileConfig = readOrCreateConfig(layout, deps);
    const config = withOverrides(fileConfig, flags, env);
    const listen = parseListen(config.proxy.listen);
    checkExposure(listen, config);
    checkUpstream(config.proxy.upstream_base_url);
    const events = openEventLog(layout.events, deps);
    const store = openStore(layout.store, fileConfig.proxy.upstream_base_url, deps);
    for (const problem of reconcile(store.state, layout, clock.now())) log.warn(problem);
    store.touch();

    const usageTimeoutMs = config.proxy.usage_timeout_ms;
    const tokenUrl = env.CODEXLB_TOKEN_URL?.trim() || DEFAULT_TOKEN_URL;
    const accountContext = {
      deps,
      lane: createRefreshLane(deps, () => ({ tokenUrl, timeoutMs: usageTimeoutMs })),
      routing: createRouting(deps),
      baseUrl: () => config.proxy.upstream_base_url,
      cooldownMs: () => config.proxy.cooldown_default_seconds * 1000,
    };
    const pool = createPool({
      deps,
      store,
      events,
      affinity: createAffinity(),
      settings: () => poolSettings(config),
      makeUpstream: (record) => createAccount(record, accountContext),
    });
    const refresher = createRefresher({
      deps,
      store,
      pool,
      events,
      settings: () => ({
        intervalMs: config.quota.refresh_interval_minutes * 60_000,
        intervalMessages: config.quota.refresh_interval_messages,
        timeoutMs: usageTimeoutMs,
      }),
    });
    const accounts = createAccountOps(store, layout, deps, (record) => {
      pool.sync();
      if (record !== undefined) pool.upstreamOf(record.id)?.forget();
    });
    const admin = { deps, pool, refresher, accounts, signingKey: signingKeyOf(layout, deps) };
    const server = orReport(events, () =>
      startServer(listen, {
        deps,
        pool,
        events,
        settings: () => proxySettings(config),
        handovers: createHandovers(),
        local: publicPaths(admin),
        guard: createGuard(listen, config.proxy.allowed_hosts),
      }),
    );
    const adminServer = listenOnSocket(layout.adminSocket, trustedApp(admin).fetch);
    const url = urlOf(listen, server.port);
    warnOfUnsupported(config, deps);
    events.append("proxy.started", {
      proxy_name: config.proxy.name,
      listen: url.slice("http://".length),
      upstream: config.proxy.upstream_base_url,
    });
    // Whoever is told where the log is may look at once.
    events.flush();
    refresher.start();

    return {
      name: config.proxy.name,
      url,
      upstream: config.proxy.upstream_base_url,
      accountCount: store.state.accounts.length,
      stop: async (reason) => {
        events.append("proxy.stopping", { signal: reason });
        refresher.stop();
        await server.stop(STOP_DEADLINE_MS);
        await adminServer.stop(true);
        rmSync(layout.adminSocket, { force: true });
        store.flush();
        events.flush();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

// --- internal ---

/** A failure to start goes into the event log too, where a supervisor's user looks for it. */
function orReport<T>(events: EventLog, start: () => T): T {
  try {
    return start();
  } catch (error) {
    events.append("proxy.error", { error: messageOf(error) });
    events.flush();
    throw error;
  }
}

function poolSettings({ proxy, policy, quota }: Config): PoolSettings {
  return {
    proxyName: proxy.name,
    policy: {
      mode: policy.mode,
      deltaPercent: policy.delta_percent,
      weights: policy.weights,
      affinity: policy.affinity,
    },
    quotaTtlMs: quota.cache_ttl_minutes * 60_000,
  };
}

function proxySettings({ proxy }: Config): ProxySettings {
  return { maxAttempts: proxy.max_attempts, cooldownMs: proxy.cooldown_default_seconds * 1000 };
}

/** Anyone who reaches the port can spend the accounts' quota, so only this machine may, unless the user says so. */
function checkExposure(listen: ListenAddress, config: Config): void {
  if (isLoopback(listen.host) || config.proxy.allow_unauthenticated) return;
  throw new CodexlbError(
    "invalid_config",
    `listening on ${config.proxy.listen} would let every machine that reaches it use your accounts`,
    {
      next: "listen on 127.0.0.1, or set proxy.allow_unauthenticated = true in config.toml if the network is yours alone",
    },
  );
}

function checkUpstream(url: string): void {
  if (/^https?:\/\//.test(url) && URL.canParse(url)) return;
  throw new CodexlbError(
    "invalid_config",
    `proxy.upstream_base_url: ${JSON.stringify(url)} is not an http(s) URL`,
    {
      next: "write it as https://chatgpt.com/backend-api",
    },
  );
}

function warnOfUnsupported(config: Config, { log }: Pick<Deps, "log">): void {
  if (config.proxy.child_proxy_urls.length > 0)
    log.warn("proxy.child_proxy_urls is set, but this version does not send requests to child proxies yet");
}

/** The lock is held, so a socket file that is there was left behind by a killed process. */
function listenOnSocket(path: string, fetch: (request: Request) => Response | Promise<Response>) {
  if (path.length > SOCKET_PATH_LIMIT)
    throw new CodexlbError("listen_failed", `the path ${path} is too long for a socket`, {
      next: "use a shorter --root",
    });
  rmSync(path, { force: true });
  try {
    const server = Bun.serve({ unix: path, development: false, fetch });
    chmodSync(path, 0o600);
    return server;
  } catch (error) {
    throw new CodexlbError("listen_failed", `listening on ${path}: ${messageOf(error)}`, { cause: error });
  }
}

function urlOf({ host }: ListenAddress, port: number): string {
  const named = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${named.includes(":") ? `[${named}]` : named}:${port}`;
}

// The paths that the proxy serves itself, as Hono apps for two listeners: the TCP port, where admin paths require the
// admin token, and ROOT/admin.sock, whose file permission is the authentication.

import { Hono, type MiddlewareHandler } from "hono";
import type { Access } from "../auth/access.ts";
import type { AccountOps } from "../auth/account-ops.ts";
import { networkSettings } from "../auth/network-settings.ts";
import type { Admission } from "../proxy/admission.ts";
import type { LocalPaths } from "../proxy/admit.ts";
import { hasOwnLock, METRICS_PATH } from "../proxy/guard.ts";
import type { TrafficCounts } from "../proxy/traffic-counts.ts";
import { type AccountContext, accountRoutes } from "./accounts.ts";
import { type ChallengeContext, challengeRoutes } from "./challenge.ts";
import { withErrors } from "./errors.ts";
import { locked, provenBody } from "./lock.ts";
import { type LoginContext, loginRoutes } from "./login.ts";
import { type MetricsContext, metricsRoutes } from "./metrics.ts";
import { isObservePath, type ObserveContext, observeRoutes } from "./observe.ts";
import { type OperateContext, operateRoutes } from "./operate.ts";
import type { UsageContext } from "./read-usage.ts";
import { type RelayContext, relayed } from "./relay.ts";
import { jsonOnly, smallBodies } from "./requests.ts";
import { isTokenPath, type RuntimeContext, runtimeRoutes, tokenRoutes } from "./runtime.ts";
import { usageRoutes } from "./usage.ts";

export type AdminContext = ObserveContext &
  RuntimeContext &
  AccountContext &
  LoginContext &
  OperateContext &
  UsageContext &
  MetricsContext &
  RelayContext &
  ChallengeContext &
  QuickContext;

export interface QuickContext {
  /** The output of `status --short` on this root; undefined if proxy.proxy_url sends commands to another proxy. */
  readonly shortStatus: () => string | undefined;
}

/** Every endpoint of the admin API. The client derives its type from the return type. */
export function adminRoutes(context: AdminContext) {
  return new Hono()
    .route("/", accountRoutes(context))
    .route("/", loginRoutes(context))
    .route("/", operateRoutes(context))
    .route("/", usageRoutes(context))
    .route("/", runtimeRoutes(context));
}

export type AdminApi = ReturnType<typeof adminRoutes>;

/** All paths, for the unix socket. */
export function trustedApp(context: AdminContext): Hono {
  return localApp(context);
}

/** Routes that the unix socket's server answers without the app, because routing through the app takes longer. */
export function quickRoutes({ shortStatus }: QuickContext) {
  return {
    "/admin/short-status": () => {
      const line = shortStatus();
      return line === undefined ? new Response("", { status: 404 }) : new Response(`${line}\n`);
    },
  };
}

/** The paths that the proxy serves itself on the TCP port. */
export function publicPaths(
  context: AdminContext,
  access: Access,
  admission: Pick<Admission, "enter">,
  counts: Pick<TrafficCounts, "refused">,
): LocalPaths {
  const app = localApp(
    { ...context, accounts: fromNetwork(context.accounts) },
    locked(access, admission, counts, context.deps),
  );
  return {
    handles: (method, path) => isObservePath(method, path) || isTokenPath(method, path) || hasOwnLock(path),
    fetch: (request) => app.fetch(request),
  };
}

// --- internal ---

function localApp(context: AdminContext, lock?: MiddlewareHandler): Hono {
  const app = withErrors(new Hono());
  const relay = relayed(context);
  // Before the lock, because a client that asks for a challenge has proved nothing yet.
  app.route("/", challengeRoutes(context));
  // Even on loopback the metrics need a key, like the admin API: other users of this machine can connect, too.
  if (lock !== undefined) app.use(METRICS_PATH, lock);
  for (const path of ["/admin/*", "/logs"]) {
    if (lock !== undefined) app.use(path, lock);
    app.use(path, smallBodies);
    if (lock !== undefined) app.use(path, provenBody);
    app.use(path, jsonOnly, relay);
  }
  return app
    .route("/", observeRoutes(context))
    .route("/", tokenRoutes(context))
    .route("/", metricsRoutes(context))
    .route("/", adminRoutes(context));
}

/** Filters the settings of an import, because a login sent over the network must not bring programs here. */
function fromNetwork(accounts: AccountOps): AccountOps {
  return {
    ...accounts,
    import: (alias, { config, ...files }) => {
      const taken = config === undefined ? undefined : networkSettings(config).config;
      return accounts.import(alias, { ...files, config: taken });
    },
  };
}

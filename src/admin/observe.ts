// Paths that every client on this machine can read: whether the proxy runs and can serve, the state of its pool, and Codex's questions
// about its account, answered for the whole pool.

import { Hono } from "hono";
import { checkRuntimeAuth } from "../auth/runtime-auth.ts";
import { STUB_ACCOUNT_ID } from "../auth/stub.ts";
import type { SharingState } from "../cluster/sharing.ts";
import type { Forecasts } from "../core/forecast/status-forecast.ts";
import { HOPS_HEADER, type Hop, parseHops } from "../core/hops.ts";
import { queuedField, statusDocument, waitingField } from "../core/status.ts";
import type { StatusDocument } from "../core/status-schema.ts";
import { usageBody } from "../core/usage-body.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import type { ProxyContext } from "../proxy/context.ts";
import type { SlotQueue } from "../proxy/slot-queue.ts";
import type { WaitingTurns } from "../proxy/waiting-turns.ts";
import type { UsageStore } from "../state/usage/usage-store.ts";
import type { Children } from "../upstream/children.ts";
import { isAccountsCheckPath, isUsagePath } from "../upstream/paths.ts";
import type { PooledResets } from "../upstream/pooled-resets.ts";
import type { Refresher } from "../upstream/refresher.ts";
import { type ReadinessContext, readinessObstacle } from "./readiness.ts";
import { clusterField } from "./sharing-fields.ts";

export interface ObserveContext extends ReadinessContext {
  readonly deps: Pick<Deps, "clock">;
  readonly pool: ProxyContext["pool"];
  readonly refresher: Refresher;
  readonly children: Pick<Children, "askAll">;
  /** This proxy. */
  readonly self: () => Hop;
  readonly forecasts: () => Promise<Forecasts | undefined>;
  readonly anchoring: () => StatusDocument["anchor"];
  readonly resets: Pick<PooledResets, "count">;
  readonly usage: Pick<UsageStore, "health">;
  readonly waiting: Pick<WaitingTurns, "summary">;
  readonly slots: Pick<SlotQueue, "count">;
  /** Undefined for a proxy that works alone. */
  readonly sharing: () => SharingState | undefined;
  /** The CODEX_HOME that `codexlb run` uses. */
  readonly runtimeHome: () => string;
}

/** True for the paths of `observeRoutes`. */
export function isObservePath(method: string, path: string): boolean {
  if (OBSERVE_PATHS.has(path)) return true;
  if (method !== "GET" && method !== "HEAD") return false;
  return path === "/" || isUsagePath(path) || isAccountsCheckPath(path);
}

export function observeRoutes(context: ObserveContext): Hono {
  const { deps, pool, refresher, children, self, forecasts, anchoring } = context;
  const { resets, usage, waiting, slots, sharing, runtimeHome } = context;
  const app = new Hono();
  app.all("/healthz", (c) => c.json({ ok: true }));
  app.all("/readyz", (c) => {
    const obstacle = readinessObstacle(context);
    return obstacle === undefined ? c.json({ ok: true }) : c.json({ ok: false, ...obstacle }, 503);
  });
  app.get("/", (c) => c.json({ ok: true, service: "codexlb-proxy" }));
  app.all("/status", async (c) => {
    // In a circle of proxies, the refresh ends at the proxy where it began.
    const hops = parseHops(c.req.header(HOPS_HEADER) ?? null);
    const isRefresh = wantsRefresh(c.req.query("refresh")) && !hops.some(({ id }) => id === self().id);
    const [failed] = isRefresh
      ? await Promise.all([refresher.refreshAll(), children.askAll(true, hops)])
      : [undefined];
    // A proxy in front makes its own forecasts, and asks every few seconds.
    const known = hops.length > 0 ? undefined : await forecasts();
    const health = usage.health();
    const anchor = anchoring();
    return c.json({
      ...statusDocument(pool.facts(), pool.view(), known),
      ...waitingField(waiting.summary()),
      ...queuedField(slots.count()),
      ...(failed === undefined ? {} : { refresh_failed: failed }),
      ...(health.kind === "failing" ? { usage_problem: health.why } : {}),
      ...(anchor === undefined ? {} : { anchor }),
      ...clusterField(sharing()),
      runtime_auth: checkRuntimeAuth(runtimeHome()),
    });
  });
  app.all("/health/auth-runtime", (c) => {
    const checked = checkRuntimeAuth(runtimeHome());
    return c.json(checked, checked.ok ? 200 : 503);
  });
  app.get("*", async (c, next) => {
    const usage = pool.usage();
    if (isUsagePath(c.req.path)) return c.json(usageBody(usage, deps.clock.now(), resets.count()));
    if (isAccountsCheckPath(c.req.path))
      return c.json(accountsCheck(c.req.header("chatgpt-account-id") ?? STUB_ACCOUNT_ID, usage.planType));
    return next();
  });
  return app;
}

// --- internal ---

const OBSERVE_PATHS: ReadonlySet<string> = new Set([
  "/healthz",
  "/readyz",
  "/status",
  "/health/auth-runtime",
]);

/** Throws `invalid_request`. */
function wantsRefresh(value = ""): boolean {
  if (value === "1") return true;
  if (value === "" || value === "0") return false;
  throw new CodexlbError("invalid_request", "refresh must be 1 or 0", {
    next: "use ?refresh=1 to fetch new figures first, or leave it out",
  });
}

/**
 * Before its first request Codex asks where its account is hosted, and stops if its own id is not in the response. The
 * values are those of ordinary accounts: `NO_CONSTRAINT` and the backend's public origin.
 */
function accountsCheck(accountId: string, planType: string): Record<string, unknown> {
  return {
    accounts: [
      {
        id: accountId,
        workspace_backend_origin: "https://chatgpt.com",
        account_routing_override: "NO_CONSTRAINT",
        structure: "personal",
        plan_type: planType,
      },
    ],
    default_account_id: accountId,
    account_ordering: [accountId],
  };
}

// Whether this proxy can serve, for load balancers (`GET /readyz`). An account that is cooling down or exhausted counts
// as in service: another replica of the pool could not use it either, and this one says when that ends.

import type { SharingState } from "../cluster/sharing.ts";
import type { Pool } from "../upstream/pool.ts";
import type { ProxyInfo } from "./operate.ts";

export interface ReadinessContext {
  readonly pool: Pick<Pool, "hasServing">;
  readonly about: () => Pick<ProxyInfo, "draining">;
  /** Undefined for a proxy that works alone. */
  readonly sharing: () => Pick<SharingState, "pool" | "hasRead" | "degraded"> | undefined;
}

export interface ReadinessObstacle {
  readonly reason: "draining" | "pool_unread" | "no_account";
  readonly message: string;
}

/** Why a load balancer should send nothing to this proxy; undefined if it can serve. */
export function readinessObstacle({ pool, about, sharing }: ReadinessContext): ReadinessObstacle | undefined {
  if (about().draining) return { reason: "draining", message: "the proxy is shutting down" };
  const replica = sharing();
  if (replica?.hasRead === false) {
    const why = replica.degraded === undefined ? "" : `: ${replica.degraded.why}`;
    return { reason: "pool_unread", message: `the pool ${replica.pool} has not been read yet${why}` };
  }
  if (!pool.hasServing())
    return {
      reason: "no_account",
      message: "no account is in service: there is none, or all are disabled or draining",
    };
  return undefined;
}

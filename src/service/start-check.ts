// Checks that a proxy can start before anything stops the running one.

import { type Daemon, daemonAt } from "../admin/daemon.ts";
import { requireStartableReplica } from "../cluster/cluster-check.ts";
import { requireKeyOpensPool } from "../cluster/key-check.ts";
import { parseListen } from "../core/listen.ts";
import { type Deps, systemDeps } from "../deps.ts";
import { CodexlbError, systemProblem } from "../errors.ts";
import { isTaken, listenError } from "../network/port-probe.ts";
import { trustOf } from "../network/trust.ts";
import { type ConfigOverrides, effectiveConfig, readConfigFile } from "../state/config-source.ts";
import { requireUsable } from "../state/config-watch.ts";
import { type Layout, layoutOf } from "../state/layout.ts";
import type { ServiceOptions } from "./service.ts";

/** A proxy that is about to start. */
export interface PlannedProxy {
  /** `the service`, for errors. */
  readonly what: string;
  readonly layout: Layout;
  readonly flags: ConfigOverrides;
  /** Its environment; undefined if it is unknown. */
  readonly env: Deps["env"] | undefined;
}

/** `requireStartableProxy` for a service with these options. */
export function requireStartable({
  root,
  listen,
  upstream,
}: Pick<ServiceOptions, "root" | "listen" | "upstream">): Promise<void> {
  // A service gets its environment from the service manager.
  const planned = { what: "the service", flags: { listen, upstream }, env: undefined };
  return requireStartableProxy({ ...planned, layout: layoutOf(root) });
}

/**
 * Checks that `planned` could start: config.toml and the flags are valid, a replica has its key, its port is free or belongs
 * to the proxy that runs on the root now, and the key opens the pool if the server answers within a few seconds. That
 * proxy keeps its last valid settings and what it has read of the pool, so only a restart would reveal a problem. Throws `invalid_config`, `cluster_refused`, `file_unusable`, `usage`, `listen_failed`. Changes
 * nothing.
 */
export async function requireStartableProxy({ what, layout, flags, env }: PlannedProxy): Promise<void> {
  const daemon = await daemonAt(layout.adminSocket);
  const unaffected = daemon.kind === "none" ? "" : "; the running proxy was not stopped";
  try {
    const { config, sources } = effectiveConfig(readConfigFile(layout), flags, env ?? {});
    if (env !== undefined) {
      requireUsable(config, env);
      trustOf(env);
    }
    const place = requireStartableReplica(layout, config.cluster, env);
    await requireFreeAddress(config.proxy.listen, sources.get("proxy.listen") ?? "default", daemon);
    const { url, pool } = config.cluster;
    if (place !== undefined) await requireKeyOpensPool({ url, pool, place, random: systemDeps().random });
  } catch (error) {
    if (!(error instanceof CodexlbError)) throw error;
    throw new CodexlbError(error.code, `${what} could not start: ${error.message}`, {
      next: `${error.next}${unaffected}`,
      cause: error,
    });
  }
}

// --- internal ---

/** Throws `listen_failed` if a proxy could not listen on `listen`, which `source` sets, once `daemon` has stopped. */
async function requireFreeAddress(listen: string, source: string, daemon: Daemon): Promise<void> {
  const address = parseListen(listen);
  const error = address === undefined ? undefined : await listenError(address);
  if (address === undefined || error === undefined) return;
  const choose = `choose another address (${source} sets this one)`;
  if (!isTaken(error))
    throw new CodexlbError("listen_failed", `listening on ${listen}: ${systemProblem(error)}`, {
      next: choose,
      cause: error,
    });
  if (!mayConflict(daemon, address.port)) return;
  throw new CodexlbError("listen_failed", `another program listens on ${listen}`, {
    next: `stop that program, or ${choose}`,
  });
}

/** False if the running proxy itself uses the port, or may use it because it does not report its address. */
function mayConflict(daemon: Daemon, port: number): boolean {
  if (daemon.kind === "none") return true;
  if (daemon.kind === "silent") return false;
  try {
    return Number(new URL(daemon.info().url).port) !== port;
  } catch {
    return false;
  }
}

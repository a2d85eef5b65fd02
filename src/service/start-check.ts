// Checks that a service can start before anything stops the running one.

import { type Daemon, daemonAt } from "../admin/daemon.ts";
import { parseListen } from "../core/listen.ts";
import { CodexlbError } from "../errors.ts";
import { isTaken } from "../network/port-probe.ts";
import { effectiveConfig, readConfigFile } from "../state/config-source.ts";
import { layoutOf } from "../state/layout.ts";
import type { ServiceOptions } from "./service.ts";

/**
 * Checks that a proxy with these options could start: config.toml is valid, and its port is free or belongs to the
 * proxy that runs on the root now. That proxy keeps its last valid settings, so only a restart would reveal a problem.
 * Throws `invalid_config`, `file_unusable`, `usage`, `listen_failed`. Changes nothing.
 */
export async function requireStartable({
  root,
  listen,
  upstream,
}: Pick<ServiceOptions, "root" | "listen" | "upstream">): Promise<void> {
  const layout = layoutOf(root);
  const daemon = await daemonAt(layout.adminSocket);
  const unaffected = daemon.kind === "none" ? "" : "; the running proxy was not stopped";
  try {
    const { config, sources } = effectiveConfig(readConfigFile(layout), { listen, upstream }, {});
    const address = parseListen(config.proxy.listen);
    if (address === undefined || !mayConflict(daemon, address.port) || !(await isTaken(address))) return;
    throw new CodexlbError("listen_failed", `another program listens on ${config.proxy.listen}`, {
      next: `stop that program, or choose another address (${sources.get("proxy.listen")} sets this one)`,
    });
  } catch (error) {
    if (!(error instanceof CodexlbError)) throw error;
    throw new CodexlbError(error.code, `the service could not start: ${error.message}`, {
      next: `${error.next}${unaffected}`,
      cause: error,
    });
  }
}

// --- internal ---

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

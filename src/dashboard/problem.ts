// When the dashboard is not served.

import { isLoopback, type ListenAddress } from "../core/listen.ts";
import { CodexlbError } from "../errors.ts";
import type { Config } from "../state/settings.ts";

/** Why a proxy that listens on `listen` does not serve the dashboard; undefined if it does. */
export function dashboardProblem(
  { enabled, remote }: Config["dashboard"],
  { host, port }: ListenAddress,
): CodexlbError | undefined {
  if (!enabled)
    return new CodexlbError("dashboard_off", "the dashboard is off, because dashboard.enabled is false", {
      next: "set dashboard.enabled = true in config.toml",
    });
  if (isLoopback(host) || remote) return undefined;
  return new CodexlbError(
    "dashboard_off",
    `the dashboard is off, because the proxy listens on ${host}:${port}, which other machines reach`,
    {
      next: "set dashboard.remote = true in config.toml if they reach it over TLS or a VPN only",
    },
  );
}

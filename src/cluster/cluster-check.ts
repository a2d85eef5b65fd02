// Checks the settings of the cluster without contacting the server.

import { existsSync } from "node:fs";
import type { Deps } from "../deps.ts";
import type { Layout } from "../state/layout.ts";
import type { Config } from "../state/settings.ts";
import { joinedPool } from "./joined-pool.ts";
import { keyPlaceOf, poolKey, poolKeyIfPresent } from "./key.ts";

/**
 * Throws like `joinedPool` and `poolKey` if a proxy on the root could not start because of these settings. `env`: the
 * environment of the proxy; undefined if it is unknown. Then only the server and the key file
 * that config.toml names are checked, because variables may name others.
 */
export function requireStartableReplica(
  layout: Layout,
  cluster: Config["cluster"],
  env: Deps["env"] | undefined,
): void {
  if (env === undefined && cluster.url === "") return;
  if (joinedPool(layout, cluster) === undefined) return;
  if (env === undefined && cluster.key_file === "") return;
  poolKey(keyPlaceOf(layout, cluster, env ?? {}));
}

/**
 * Like `requireStartableReplica`, for settings that may be written before the root joins the pool: its key file may be
 * missing, because `codexlb cluster init` creates it.
 */
export function checkClusterSettings(layout: Layout, cluster: Config["cluster"], env: Deps["env"]): void {
  if (existsSync(layout.cluster)) requireStartableReplica(layout, cluster, env);
  else if (cluster.url !== "") poolKeyIfPresent(keyPlaceOf(layout, cluster, env));
}

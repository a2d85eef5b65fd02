// Checks the settings of the cluster without contacting the server.

import { existsSync } from "node:fs";
import type { Deps } from "../deps.ts";
import type { Layout } from "../state/layout.ts";
import type { Config } from "../state/settings.ts";
import { joinedPool } from "./joined-pool.ts";
import { type KeyPlace, keyPlaceOf, poolKey, poolKeyIfPresent } from "./key.ts";

/**
 * Throws like `joinedPool` and `poolKey` if a proxy on the root could not start because of these settings. `env`: the
 * environment of the proxy; undefined if it is unknown. Then only the server and the key file that config.toml names are
 * checked, because variables may name others. Returns where the key is; undefined if nothing was checked, or if the
 * root has not joined a pool.
 */
export function requireStartableReplica(
  layout: Layout,
  cluster: Config["cluster"],
  env: Deps["env"] | undefined,
): KeyPlace | undefined {
  if (env === undefined && cluster.url === "") return undefined;
  if (joinedPool(layout, cluster) === undefined) return undefined;
  if (env === undefined && cluster.key_file === "") return undefined;
  const place = keyPlaceOf(layout, cluster, env ?? {});
  poolKey(place);
  return place;
}

/**
 * Like `requireStartableReplica`, for settings that may be written before the root joins the pool: its key file may be
 * missing, because `codexlb cluster init` creates it.
 */
export function checkClusterSettings(layout: Layout, cluster: Config["cluster"], env: Deps["env"]): void {
  if (existsSync(layout.cluster)) requireStartableReplica(layout, cluster, env);
  else if (cluster.url !== "") poolKeyIfPresent(keyPlaceOf(layout, cluster, env));
}

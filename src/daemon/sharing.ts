// Makes the proxy a replica of a pool if its settings name one. The parts of a cluster are loaded only then.

import type { Keys } from "../auth/keys.ts";
import { joinedPool } from "../cluster/joined-pool.ts";
import { keyPlaceOf } from "../cluster/key.ts";
import { type LocalFacts, localFacts } from "../cluster/local-facts.ts";
import { NOT_SHARED, type Sharing } from "../cluster/sharing.ts";
import type { MovedTurn } from "../core/pool-facts.ts";
import { FIELD_NAMES } from "../core/status-quota.ts";
import type { Pool } from "../upstream/pool.ts";
import type { Base } from "./base.ts";

/** Throws `invalid_config` and `cluster_refused` if the settings and the root do not fit together. */
export async function sharingOf({ layout, live, deps, events, usage }: Base): Promise<Sharing> {
  const { cluster } = live.current();
  const file = joinedPool(layout, cluster);
  if (file === undefined) return NOT_SHARED;
  const { createReplica } = await import("../cluster/replica.ts");
  const name = () => live.current().proxy.name;
  const keyPlace = keyPlaceOf(layout, cluster, deps.env);
  return createReplica({ deps, events, url: cluster.url, keyPlace, file, usage, name });
}

/** Logs a switch of another replica, and adds it to those that the status shows. */
export function noteReplicaSwitch({ events }: Pick<Base, "events">, pool: Pool, moved: MovedTurn): void {
  const { atMs, window, ...about } = moved;
  events.append("request.switched", {
    ...about,
    account_alias: moved.to,
    at_ms: atMs,
    ...(window === undefined ? {} : { window: FIELD_NAMES[window] }),
  });
  pool.noteSwitch(moved);
}

/** The facts of the root of a running proxy, which follows their changes immediately. */
export function sharedFacts({ layout, store, events, deps }: Base, pool: Pool, keys: Keys): LocalFacts {
  return localFacts({
    store,
    layout,
    keys,
    nowMs: deps.clock.now,
    changed: (change, record, by) => {
      pool.sync();
      if (record !== undefined) pool.accountOf(record.id)?.forget();
      const about = { account_id: record?.id, by: "replica", replica: by };
      if (change === "renewed") events.append("account.auth_refreshed", { ...about, mode: "replica" });
      else events.append(`account.${change}`, about);
    },
  });
}

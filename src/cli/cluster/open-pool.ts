// Connects a command to the engine that the settings name.

import type { EngineInfo } from "../../cluster/engine-info.ts";
import { keyPlaceOf } from "../../cluster/key.ts";
import { createKeyring, type Keyring } from "../../cluster/keyring.ts";
import { type PoolRecords, poolRecords } from "../../cluster/pool-records.ts";
import type { ReplicaFile } from "../../cluster/replica-file.ts";
import type { Sealer } from "../../cluster/sealing.ts";
import { CodexlbError } from "../../errors.ts";
import { effectiveConfig, readConfigFile } from "../../state/config-source.ts";
import type { Config } from "../../state/settings.ts";
import type { CommandContext } from "../context.ts";
import { waitingFor } from "../terminal/terminal.ts";

export interface OpenPool extends Disposable {
  /** The name of the pool. */
  readonly pool: string;
  /** The engine's URL without user and password. */
  readonly engine: string;
  readonly info: EngineInfo;
  readonly sealer: Sealer;
  readonly keyring: Keyring;
  readonly records: PoolRecords;
}

/** Longest wait for the connection, ms. */
const CONNECT_MS = 5_000;

/** The settings of the cluster. Throws `invalid_config` if they name no server. */
export function clusterSettings({ layout, deps }: CommandContext): Config["cluster"] {
  const { cluster } = effectiveConfig(readConfigFile(layout), {}, deps.env).config;
  if (cluster.url !== "") return cluster;
  throw new CodexlbError("invalid_config", "cluster.url is not set", {
    next: `name a Redis or Valkey server in ${layout.config} (table [cluster]), or in CODEXLB_CLUSTER_URL`,
  });
}

/**
 * Connects to the engine for a change of the pool `name` (default: the one in the settings). Warns if the server may
 * lose data. Also throws `cluster_refused` for a server that cannot keep a pool.
 */
export async function openPool(context: CommandContext, name?: string): Promise<OpenPool> {
  const connecting = connectPool(context, name);
  const pool = await waitingFor("connecting to the server of the cluster", connecting);
  for (const { severity, what, next } of pool.info.problems) {
    if (severity === "bad") {
      pool[Symbol.dispose]();
      throw new CodexlbError("cluster_refused", `using ${pool.engine}: ${what}`, { next });
    }
    context.deps.log.warn(`${pool.engine}: ${what}; ${next}`);
  }
  return pool;
}

/**
 * Connects to the engine for the pool `name`; default: the one in the settings. Throws `invalid_config`,
 * `cluster_unreachable`, `cluster_refused`.
 */
export async function connectPool(context: CommandContext, name?: string): Promise<OpenPool> {
  const { deps, layout } = context;
  const settings = clusterSettings(context);
  const pool = name ?? settings.pool;
  const keyring = createKeyring(keyPlaceOf(layout, settings, deps.env), pool, deps.random);
  const { sealer } = keyring;
  // Loaded only here, because completions and the manual page describe the commands without a server.
  const { createEngine } = await import("../../cluster/engine.ts");
  const engine = createEngine({ url: settings.url, pool, deps });
  try {
    await engine.connected(CONNECT_MS);
    const info = await engine.info();
    const records = poolRecords(engine, sealer, pool, keyring.use);
    return { pool, engine: engine.shown, info, sealer, keyring, records, [Symbol.dispose]: engine.close };
  } catch (error) {
    engine.close();
    throw error;
  }
}

/** Throws `cluster_refused` if the engine does not have the pool that the root of `file` has joined. */
export async function requireJoinedPool({ records, engine }: OpenPool, file: ReplicaFile): Promise<void> {
  const found = await records.find();
  if (found === file.poolId) return;
  if (found === undefined)
    throw new CodexlbError("cluster_refused", `the pool ${file.pool} is not on ${engine}`, {
      next: "start a replica, which restores the pool from its files, or name the right server in cluster.url",
    });
  throw new CodexlbError(
    "cluster_refused",
    `the pool ${file.pool} on ${engine} is not the one that this root has joined`,
    { next: "name the right server in cluster.url" },
  );
}

// A pool of accounts that are nothing but their records: for what choosing and settling do, without a backend.

import type { PolicyMode } from "../../src/core/policy.ts";
import type { Clock } from "../../src/deps.ts";
import { newAccount, type Store } from "../../src/state/store.ts";
import { createAffinity } from "../../src/upstream/affinity.ts";
import { createPool, type Pool } from "../../src/upstream/pool.ts";
import type { Upstream } from "../../src/upstream/upstream.ts";

export interface MemoryPoolOptions {
  readonly aliases: readonly string[];
  readonly clock: Clock;
  readonly mode: PolicyMode;
  /** Default true. */
  readonly affinity?: boolean;
  readonly quotaTtlMs: number;
}

/** The id of an account is `openai:` and its alias, as everywhere. */
export function memoryPool(options: MemoryPoolOptions): { readonly pool: Pool; readonly store: Store } {
  const { aliases, clock, mode, affinity = true, quotaTtlMs } = options;
  const store: Store = {
    state: {
      accounts: aliases.map((alias) => newAccount(alias, `/${alias}`)),
      activeId: undefined,
      pinnedId: undefined,
      messageCounter: 0,
      lastRotationMs: 0,
    },
    touch: () => {},
    flush: () => {},
  };
  const settings = {
    proxyName: "p",
    policy: { mode, deltaPercent: 10, weights: { daily: 60, weekly: 40 }, affinity },
    quotaTtlMs,
  };
  const pool = createPool({
    deps: { clock, log: { info: () => {}, warn: () => {} }, random: (bytes) => new Uint8Array(bytes) },
    store,
    affinity: createAffinity(),
    events: { append: () => {}, flush: () => {} },
    settings: () => settings,
    makeUpstream: (record) => ({ id: record.id, label: record.alias }) as Upstream,
  });
  return { pool, store };
}

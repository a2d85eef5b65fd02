// A pool whose accounts exist only as records, for tests of placement and settling. There is no backend.

import type { OptionValues, SpendFloors } from "../../src/core/account-options.ts";
import { capacityOfQuota } from "../../src/core/capacity.ts";
import { ownLimitFor } from "../../src/core/meters.ts";
import type { PolicyMode } from "../../src/core/policy.ts";
import type { Clock } from "../../src/deps.ts";
import { newAccount, optionsOf } from "../../src/state/account-record.ts";
import type { Store } from "../../src/state/store.ts";
import type { Account } from "../../src/upstream/account.ts";
import { createAffinity } from "../../src/upstream/affinity.ts";
import { createPool, type Pool } from "../../src/upstream/pool.ts";

export interface MemoryPoolOptions {
  readonly aliases: readonly string[];
  readonly clock: Clock;
  readonly mode: PolicyMode;
  /** Default true. */
  readonly affinity?: boolean;
  readonly quotaTtlMs: number;
  /** Default true. */
  readonly useCredits?: boolean;
  /** Default `last`. */
  readonly spendFloors?: SpendFloors;
  /** Default: no account has options. */
  readonly fileOptions?: Readonly<Record<string, OptionValues>>;
  /** Default: no catalogue is known. */
  readonly offers?: (upstreamId: string, model: string) => boolean | undefined;
}

/** Creates a pool. The ID of an account is `openai:` and its alias, as in the real pool. */
export function memoryPool(options: MemoryPoolOptions): { readonly pool: Pool; readonly store: Store } {
  const { aliases, clock, mode, affinity = true, quotaTtlMs, useCredits = true } = options;
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
    policy: {
      mode,
      deltaPercent: 10,
      weights: { daily: 60, weekly: 40 },
      affinity,
      useCredits,
      spendFloors: options.spendFloors ?? "last",
      tags: undefined,
    },
    quotaTtlMs,
    fileOptions: options.fileOptions ?? {},
  };
  const pool = createPool({
    deps: { clock, log: { info: () => {}, warn: () => {} }, random: (bytes) => new Uint8Array(bytes) },
    store,
    affinity: createAffinity(),
    events: { append: () => {}, flush: () => {} },
    settings: () => settings,
    self: () => ({ name: "p", id: "p" }),
    makeAccount: (record) =>
      ({
        id: record.id,
        label: record.alias,
        kind: "account",
        named: { account_id: record.id },
        options: (view) => optionsOf(record, view.fileOptions),
        capacity: (view) => capacityOfQuota(record.quota, view, optionsOf(record, view.fileOptions)),
        ownLimit: ({ model, refusedBy }) => ownLimitFor(record.quota, model, refusedBy),
        refuses: () => false,
        meter: () => undefined,
        noteVerdict: () => {},
        retire: () => "",
      }) as Partial<Account> as Account,
    children: () => [],
    models: () => ({ offers: options.offers ?? (() => undefined) }),
  });
  return { pool, store };
}

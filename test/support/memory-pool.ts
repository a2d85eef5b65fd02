// A pool whose accounts exist only as records, for tests of placement and settling. There is no backend.

import type { OptionValues, SpendFloors } from "../../src/core/account-options.ts";
import type { PolicyMode } from "../../src/core/policy.ts";
import type { MovedTurn } from "../../src/core/pool-facts.ts";
import type { Clock } from "../../src/deps.ts";
import { createSimulatedPool } from "../../src/simulation/simulated-pool.ts";
import { newAccount } from "../../src/state/account-record.ts";
import type { Store } from "../../src/state/store.ts";
import type { Pool } from "../../src/upstream/pool.ts";

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
  /** Default: none. */
  readonly pastSwitches?: readonly MovedTurn[];
  /** Default: no catalogue is known. */
  readonly offers?: (upstreamId: string, model: string) => boolean | undefined;
}

/** Creates a pool. The ID of an account is `openai:` and its alias, as in the real pool. */
export function memoryPool(options: MemoryPoolOptions): { readonly pool: Pool; readonly store: Store } {
  const {
    aliases,
    clock,
    mode,
    affinity = true,
    quotaTtlMs,
    useCredits = true,
    offers,
    pastSwitches,
  } = options;
  return createSimulatedPool({
    records: aliases.map((alias) => newAccount(alias, `/${alias}`)),
    clock,
    offers,
    pastSwitches,
    settings: {
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
    },
  });
}

// What a pool is at one moment: what the status document, its short line and an account in full are made from.

import type { Capacity } from "./capacity.ts";
import type { ChildReport } from "./child-report.ts";
import type { Health } from "./health.ts";
import type { Hop } from "./hops.ts";
import type { PolicySettings } from "./policy.ts";
import type { AccountFacts } from "./pooled.ts";

/** A child proxy as others may see it. */
export interface ChildFacts {
  readonly id: string;
  readonly name: string;
  /** Without the key. */
  readonly url: string;
  readonly reachable: boolean;
  readonly healthy: boolean;
  readonly cooldownMs: number;
  readonly health: Health;
  readonly capacity: Capacity;
  /** What it says of itself, while that counts. */
  readonly report: ChildReport | undefined;
  readonly lastSwitchReason: string | undefined;
  readonly error: string | undefined;
  /** What somebody has to do about it. */
  readonly next: string | undefined;
  readonly inFlight: number;
}

/** The pool as it is known without looking at any account. */
export interface PoolOutline {
  /** This proxy. */
  readonly self: Hop;
  readonly policy: PolicySettings;
  /** Our own. */
  readonly accounts: readonly Pick<AccountFacts, "id" | "alias">[];
  readonly children: readonly ChildFacts[];
  readonly activeId: string | undefined;
  readonly pinnedId: string | undefined;
  /** What the next request without a session would get. */
  readonly next: { readonly id: string; readonly reason: string } | undefined;
  readonly messageCounter: number;
  readonly lastRotationMs: number;
}

export interface PoolFacts extends PoolOutline {
  readonly accounts: readonly AccountFacts[];
}

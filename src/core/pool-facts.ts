// The state of a pool at one moment, from which the status document, its short line and an account's details are made.

import type { ApiBilling } from "./api-billing.ts";
import type { Candidate } from "./availability.ts";
import type { ChildReport } from "./child-report.ts";
import type { Health } from "./health.ts";
import type { Hop } from "./hops.ts";
import type { PolicySettings } from "./policy.ts";
import type { Quota } from "./quota.ts";
import type { ResetCredits } from "./reset-credits.ts";
import type { WindowKind } from "./windows.ts";

/** What may be shown of an account. */
export interface AccountFacts {
  readonly id: string;
  readonly alias: string;
  readonly email: string | undefined;
  /** Short workspace id, if another account has the same e-mail address in another workspace. */
  readonly workspace: string | undefined;
  /** Identifies the ChatGPT account and user. */
  readonly identity: string | undefined;
  readonly health: Health;
  readonly quota: Quota;
  /** The account under its main limit. */
  readonly candidate: Candidate;
  readonly resetCredits: ResetCredits | undefined;
  /** What its API key has spent; undefined for a ChatGPT account. */
  readonly billing: ApiBilling | undefined;
  readonly lastUsedMs: number;
  readonly lastSwitchReason: string | undefined;
  /** The number of sessions that stay with it. */
  readonly sessions: number;
}

/** A turn that moved from one account or child proxy to another, or several that moved for the same reason. */
export interface AccountSwitch {
  /** When the last of them moved, Unix ms. */
  readonly atMs: number;
  /** When the first of them moved, Unix ms. */
  readonly firstAtMs: number;
  /** How many turns moved, at least 1. */
  readonly count: number;
  /**
   * Alias or name of the upstream that served the session's previous turn; for a turn without a previous one, of the
   * first upstream that failed it.
   */
  readonly from: string;
  readonly to: string;
  /**
   * Why `from` did not serve: the reason of its cooldown or disablement, `exhausted`, `floor`, `full`, `draining`, or
   * `request-failed`;
   * or why `to` was chosen (a `ChoiceReason`).
   */
  readonly reason: string;
  /** The window of `from` that is exhausted or has reached its floor, if that is the reason. */
  readonly window?: WindowKind;
  /** The session that moved last; undefined for a request without one. */
  readonly session?: string;
  /** The name of the replica on which the turns moved; undefined for this proxy. */
  readonly replica?: string;
}

/** A single turn that moved. */
export type MovedTurn = Omit<AccountSwitch, "firstAtMs" | "count">;

/** What may be shown of a child proxy. */
export interface ChildFacts {
  readonly id: string;
  readonly name: string;
  /** Without the key. */
  readonly url: string;
  readonly reachable: boolean;
  readonly candidate: Candidate;
  /** Its last report, while that is valid. */
  readonly report: ChildReport | undefined;
  readonly lastSwitchReason: string | undefined;
  readonly error: string | undefined;
  /** What the user can do about the error. */
  readonly next: string | undefined;
}

/** The pool without the state of its accounts. */
export interface PoolOutline {
  /** This proxy. */
  readonly self: Hop;
  readonly policy: PolicySettings;
  /** The accounts of this proxy. */
  readonly accounts: readonly Pick<AccountFacts, "id" | "alias">[];
  readonly children: readonly ChildFacts[];
  readonly activeId: string | undefined;
  readonly pinnedId: string | undefined;
  /** The upstream of the next request without a session. */
  readonly next: { readonly id: string; readonly reason: string } | undefined;
  /** True if that request would wait for a slot on a full account. */
  readonly isFull: boolean;
  readonly messageCounter: number;
  readonly lastRotationMs: number;
}

export interface PoolFacts extends PoolOutline {
  readonly accounts: readonly AccountFacts[];
  /** The last ones, newest first. */
  readonly switches: readonly AccountSwitch[];
}

// The record of an upstream. Every field is read-only here: only record-changes.ts and record-figures.ts change a record,
// and each change raises its revision, which shows whether values computed from the record are still valid.

import {
  type AccountOptions,
  changedOptions,
  DEFAULT_OPTIONS,
  NO_OPTIONS,
  type OptionValues,
  optionsIn,
} from "../core/account-options.ts";
import type { AnchorCount } from "../core/anchor/anchor-count.ts";
import type { ApiBilling } from "../core/api-billing.ts";
import type { AutoRedeems } from "../core/auto-redeem.ts";
import { HEALTHY, type Health } from "../core/health.ts";
import { type Quota, UNKNOWN_QUOTA } from "../core/quota.ts";
import type { Redemption } from "../core/redemption.ts";
import type { ResetCredits } from "../core/reset-credits.ts";
import type { Ramp } from "../core/slow-start.ts";
import { NO_TURNS, type TurnUse } from "../core/turn-limit.ts";

/** The record of any upstream. Values are replaced, never changed in depth. */
export interface UpstreamRecord extends TurnUse {
  /** `openai:` + lower-case alias, or `child:` + URL. */
  readonly id: string;
  readonly alias: string;
  /** It keeps its sessions and takes no new ones. */
  readonly draining: boolean;
  readonly health: Health;
  readonly quota: Quota;
  /** Unix ms; 0 if never. */
  readonly lastUsedMs: number;
  readonly lastSwitchReason: string | undefined;
  /** Turns it has served since its last complete figures. This field and all below are lost at a restart. */
  readonly unheardTurns: number;
  /** Requests in flight. */
  readonly inFlight: number;
  /** Requests in flight on other replicas of the pool. */
  readonly inFlightElsewhere: number;
  /** How many requests it may have in flight while it recovers. */
  readonly ramp: Ramp;
  /** Raised by every change. */
  readonly revision: number;
  /** Raised when figures, or the report of a child proxy, change. A newer time alone is no change. */
  readonly figuresRevision: number;
  /** Each change adds the record to this set; undefined if no pool has the record. */
  readonly changed: Set<UpstreamRecord> | undefined;
}

/** An enrolled account. */
export interface AccountRecord extends UpstreamRecord {
  /** The account's CODEX_HOME, absolute. */
  readonly homeDir: string;
  /** A backend of its own; undefined means the configured one. */
  readonly ownBaseUrl: string | undefined;
  /** URL of the HTTP proxy for all its connections, perhaps with a password; undefined: use the configured one. */
  readonly outboundProxy: string | undefined;
  /** The options from `codexlb account set`. */
  readonly options: OptionValues;
  readonly chatgptAccountId: string | undefined;
  readonly chatgptUserId: string | undefined;
  readonly email: string | undefined;
  /** Hash that identifies the credentials in use; not the credentials themselves. */
  readonly loginMark: string | undefined;
  /** Hash that identifies the credentials that the account was disabled with. */
  readonly deadLoginMark: string | undefined;
  /** When the usage endpoint last answered, Unix ms, and the message counter then. */
  readonly quotaSyncMs: number;
  readonly quotaSyncMessages: number;
  /** What its API key has spent; undefined for a ChatGPT account. */
  readonly billing: ApiBilling | undefined;
  /** The anchor turns of the last day on which there were some. */
  readonly anchors: AnchorCount | undefined;
  /** Undefined until the backend has reported them. */
  readonly resetCredits: ResetCredits | undefined;
  /** The request to spend one of them whose outcome is unknown. */
  readonly redemption: Redemption | undefined;
  /** The attempts of `policy.auto_redeem`; undefined if there were none. */
  readonly autoRedeems: AutoRedeems | undefined;
}

/** A new upstream, with unknown health and quota. */
export function newUpstream(id: string, alias: string): UpstreamRecord {
  return {
    id,
    alias,
    draining: false,
    health: HEALTHY,
    quota: UNKNOWN_QUOTA,
    lastUsedMs: 0,
    lastSwitchReason: undefined,
    unheardTurns: 0,
    inFlight: 0,
    inFlightElsewhere: 0,
    ...NO_TURNS,
    ramp: undefined,
    revision: 0,
    figuresRevision: 0,
    changed: undefined,
  };
}

/** The account `alias` in `homeDir`, with the fields in `known`. */
export function newAccount(
  alias: string,
  homeDir: string,
  known: Partial<AccountRecord> = {},
): AccountRecord {
  return {
    ...newUpstream(accountId(alias), alias),
    homeDir,
    ownBaseUrl: undefined,
    outboundProxy: undefined,
    options: NO_OPTIONS,
    chatgptAccountId: undefined,
    chatgptUserId: undefined,
    email: undefined,
    loginMark: undefined,
    deadLoginMark: undefined,
    quotaSyncMs: 0,
    quotaSyncMessages: 0,
    billing: undefined,
    anchors: undefined,
    resetCredits: undefined,
    redemption: undefined,
    autoRedeems: undefined,
    ...known,
  };
}

/** The fields that `account` keeps when it gets another id or home. Requests in flight stay with its former record. */
export function keptOf({
  id: _id,
  homeDir: _home,
  inFlight: _uses,
  inFlightElsewhere: _usesElsewhere,
  turns: _turns,
  turnsElsewhere: _turnsElsewhere,
  turnSharers: _turnSharers,
  ramp: _ramp,
  changed: _changed,
  ...kept
}: AccountRecord): Partial<AccountRecord> {
  return kept;
}

/** The options in effect for the account. `file`: those in config.toml, by alias in lower case, which win. */
export function optionsOf(record: OptionOwner, file: Readonly<Record<string, OptionValues>>): AccountOptions {
  return optionsIn(record.options, file[record.alias.toLowerCase()]);
}

/** How many turns the account may serve at the same time; 0: no limit. */
export function concurrencyOf(
  { alias, options }: OptionOwner,
  file: Readonly<Record<string, OptionValues>>,
): number {
  return file[alias.toLowerCase()]?.concurrency ?? options.concurrency ?? DEFAULT_OPTIONS.concurrency;
}

/** The account options that are set, without defaults for the others. */
export function setOptionsOf(
  { alias, options }: OptionOwner,
  file: Readonly<Record<string, OptionValues>>,
): OptionValues {
  return changedOptions(options, file[alias.toLowerCase()] ?? NO_OPTIONS);
}

type OptionOwner = Pick<AccountRecord, "alias" | "options">;

/** The id of the account `alias`. */
export function accountId(alias: string): string {
  return `openai:${alias.toLowerCase()}`;
}

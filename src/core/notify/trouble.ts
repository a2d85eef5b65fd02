// The troubles of a pool that a person wants to know about, computed from its state alone. What was reported before does
// not matter here: the difference to that gives the notifications (pending.ts).

import type { Candidate } from "../availability.ts";
import { OPERATOR_REASON, waitsForCredentials } from "../health.ts";
import type { PooledLimit } from "../pooled-limits.ts";
import { exhaustedWindow } from "../quota-summary.ts";
import { presentOf, type WindowKind } from "../windows.ts";

/** An account as the notifications see it. */
export interface WatchedAccount {
  readonly alias: string;
  /** The account under its main limit. */
  readonly candidate: Candidate;
  /** When `policy.auto_redeem` last spent a reset credit of it, Unix ms; undefined or 0: never. */
  readonly redeemedMs?: number | undefined;
}

/** A child proxy as the notifications see it. */
export interface WatchedChild {
  readonly name: string;
  readonly candidate: Candidate;
  /** Whether its last status request was answered; `unseen` before the first answer. */
  readonly presence: "seen" | "lost" | "unseen";
}

/** The state of a pool at one moment. */
export interface WatchedPool {
  readonly accounts: readonly WatchedAccount[];
  readonly children: readonly WatchedChild[];
  /** The figures of all accounts as one. */
  readonly main: Pick<PooledLimit, "windows">;
}

export interface TroubleView {
  readonly nowMs: number;
  /** The pool is low while less than this share of a window is left, percent; 0: never. */
  readonly poolBelowPercent: number;
  /** When a run of Codex last bypassed the proxy, Unix ms; undefined: never. */
  readonly bypassedMs: number | undefined;
}

export type TroubleKind =
  | "account_exhausted"
  | "login_required"
  | "child_lost"
  | "pool_low"
  | "pool_exhausted"
  | "codex_bypassed"
  | "credit_spent";

/** True for a trouble that concerns one proxy. All others concern the pool, and one replica reports them for all. */
export function isOwnTrouble({ key }: Pick<Trouble, "key">): boolean {
  return OWN_KINDS.has(key.split(":", 1)[0] ?? "");
}

/** How many accounts and child proxies are in which state. Those that the operator disabled do not count. */
export interface PoolCounts {
  readonly total: number;
  readonly exhausted: number;
  /** Those of `exhausted` that only a floor keeps back. */
  readonly keptBack: number;
  /** Disabled by codexlb: the login no longer works. */
  readonly dead: number;
  readonly ready: number;
  /** True if the pool has child proxies. */
  readonly hasChildren: boolean;
}

export interface Trouble {
  /**
   * Identifies the trouble: one kind of trouble of one account or child proxy always has the same key, which begins
   * with the kind.
   */
  readonly key: string;
  readonly kind: TroubleKind;
  /** `unclear`: it may or may not be present, so what was last reported stays valid. */
  readonly state: "present" | "absent" | "unclear";
  /** The account's alias or the child proxy's name. */
  readonly name?: string;
  /** When it is expected to end, Unix ms. */
  readonly backAtMs?: number | undefined;
  readonly window?: WindowKind | undefined;
  /** True if the account has quota left, which its floor keeps back. */
  readonly isAtFloor?: boolean;
  /** Whole percent. */
  readonly leftPercent?: number;
  readonly counts?: PoolCounts;
  /** True if a new login does not help, or may not. */
  readonly isOther?: boolean;
}

/** A pool that was low is low until this many percentage points more are left, so that the message does not repeat. */
const RECOVERY_POINTS = 5;
/** How long after the last run that bypassed the proxy the trouble is present. */
const BYPASS_MS = 24 * 3_600_000;
/** How long after a credit was spent a message about it is still sent. */
const SPENT_MS = 24 * 3_600_000;

/** Every trouble that the pool can have, with its state. Accounts and child proxies that were removed have none. */
export function troublesOf(pool: WatchedPool, view: TroubleView): Trouble[] {
  const counts = countsOf(pool);
  const exhausted = poolExhausted(pool, counts, view.nowMs);
  return [
    exhausted,
    poolLow(pool, view, exhausted.state === "present"),
    ...pool.accounts.flatMap((account) => [
      loginRequired(account),
      accountExhausted(account, view.nowMs),
      ...creditSpent(account, view.nowMs),
    ]),
    ...pool.children.map(childLost),
    codexBypassed(view),
  ];
}

// --- internal ---

const SERVES: ReadonlySet<Candidate["condition"]> = new Set([
  "ready",
  "probing",
  "credits",
  "at_floor",
  "last_resort",
]);
const OWN_KINDS: ReadonlySet<string> = new Set<TroubleKind>(["child_lost", "codex_bypassed"]);
const EXHAUSTED: ReadonlySet<Candidate["condition"]> = new Set(["exhausted", "limited", "kept_back"]);

function accountExhausted({ alias, candidate }: WatchedAccount, nowMs: number): Trouble {
  const { id, condition, summary } = candidate;
  const isPresent = EXHAUSTED.has(condition);
  return {
    key: `account_exhausted:${id}`,
    kind: "account_exhausted",
    // An account that is cooling down or disabled says nothing about its quota.
    state: isPresent ? "present" : SERVES.has(condition) ? "absent" : "unclear",
    name: alias,
    ...(isPresent
      ? {
          backAtMs: backAtMs(candidate, nowMs),
          window: exhaustedWindow(summary)?.kind,
          isAtFloor: isKeptBack(candidate),
        }
      : {}),
  };
}

function isKeptBack({ condition, summary }: Candidate): boolean {
  return condition === "kept_back" && !summary.exhausted;
}

function loginRequired({ alias, candidate }: WatchedAccount): Trouble {
  const { id, condition, reason = "" } = candidate;
  const isOperators = condition === "disabled" && reason === OPERATOR_REASON;
  const isPresent = condition === "disabled" && !isOperators;
  return {
    key: `login_required:${id}`,
    kind: "login_required",
    state: isPresent ? "present" : isOperators ? "unclear" : "absent",
    name: alias,
    ...(isPresent ? { isOther: !waitsForCredentials({ kind: "disabled", reason, sinceMs: 0 }) } : {}),
  };
}

function childLost({ name, candidate, presence }: WatchedChild): Trouble {
  return {
    key: `child_lost:${candidate.id}`,
    kind: "child_lost",
    state: presence === "lost" ? "present" : presence === "seen" ? "absent" : "unclear",
    name,
  };
}

function poolExhausted(pool: WatchedPool, counts: PoolCounts, nowMs: number): Trouble {
  const backs = membersOf(pool)
    .filter(({ condition }) => EXHAUSTED.has(condition))
    .map((candidate) => backAtMs(candidate, nowMs))
    .filter((back) => back !== undefined);
  return {
    key: "pool_exhausted",
    kind: "pool_exhausted",
    state: poolState(counts),
    counts,
    backAtMs: backs.length === 0 ? undefined : Math.min(...backs),
  };
}

/** Members that are cooling down, or whose state is unknown, will be clear in a moment. */
function poolState({ total, ready, exhausted, dead }: PoolCounts): Trouble["state"] {
  if (ready > 0 || total === 0) return "absent";
  return exhausted + dead === total ? "present" : "unclear";
}

function poolLow({ main }: WatchedPool, view: TroubleView, isExhausted: boolean): Trouble {
  const { poolBelowPercent } = view;
  const known = presentOf(main.windows);
  const lowest = known.reduce<(typeof known)[number] | undefined>(
    (least, window) => (least === undefined || window.left < least.left ? window : least),
    undefined,
  );
  const base = { key: "pool_low", kind: "pool_low" } as const;
  // The message that the pool is exhausted says more.
  if (poolBelowPercent === 0 || lowest === undefined || isExhausted) return { ...base, state: "unclear" };
  const percent = lowest.left * 100;
  const recovered = Math.min(100, poolBelowPercent + RECOVERY_POINTS);
  return {
    ...base,
    state: percent < poolBelowPercent ? "present" : percent >= recovered ? "absent" : "unclear",
    window: lowest.kind,
    leftPercent: Math.round(percent),
    backAtMs: lowest.resetAtMs,
  };
}

function codexBypassed({ nowMs, bypassedMs }: TroubleView): Trouble {
  const isRecent = bypassedMs !== undefined && nowMs - bypassedMs < BYPASS_MS;
  return { key: "codex_bypassed", kind: "codex_bypassed", state: isRecent ? "present" : "absent" };
}

/** Each spent credit is a trouble of its own, which never ends, so that it is reported once. */
function creditSpent({ alias, candidate, redeemedMs = 0 }: WatchedAccount, nowMs: number): Trouble[] {
  if (redeemedMs === 0 || nowMs - redeemedMs >= SPENT_MS) return [];
  return [
    {
      key: `credit_spent:${candidate.id}:${redeemedMs}`,
      kind: "credit_spent",
      state: "present",
      name: alias,
    },
  ];
}

/** The accounts and child proxies that the operator has not taken out of service. */
function membersOf({ accounts, children }: WatchedPool): Candidate[] {
  return [...accounts, ...children]
    .map(({ candidate }) => candidate)
    .filter(
      ({ condition, reason, draining }) =>
        !draining && !(condition === "disabled" && reason === OPERATOR_REASON),
    );
}

function countsOf(pool: WatchedPool): PoolCounts {
  const members = membersOf(pool);
  const count = (is: (candidate: Candidate) => boolean) => members.filter(is).length;
  return {
    total: members.length,
    exhausted: count(({ condition }) => EXHAUSTED.has(condition)),
    keptBack: count(isKeptBack),
    dead: count(({ condition }) => condition === "disabled"),
    ready: count(({ condition }) => SERVES.has(condition)),
    hasChildren: pool.children.length > 0,
  };
}

/** The last moment that a date can express. */
const LAST_DATE_MS = 8.64e15;

function backAtMs({ untilMs, summary }: Candidate, nowMs: number): number | undefined {
  const end = Math.max(untilMs, summary.exhaustedUntilMs ?? 0, summary.refusedUntilMs);
  return end > nowMs && end <= LAST_DATE_MS ? end : undefined;
}

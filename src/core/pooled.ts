// Pools the figures of the accounts, as if they were one account. Codex gets the result from the usage endpoint, in
// headers and in events.

import type { Health } from "./health.ts";
import { type PooledAccount, type PooledLimit, type PooledWindow, pooledLimits } from "./pooled-limits.ts";
import { MAIN_LIMIT_ID, type QuotaView } from "./quota.ts";
import { type Credits, workspaceReason } from "./spending.ts";
import { type ByWindow, presentOf, USUAL_SECONDS, WINDOW_KINDS, type WindowKind } from "./windows.ts";

export interface PooledUsage {
  readonly planType: string;
  readonly main: PooledLimit;
  readonly additional: readonly PooledLimit[];
  /** Total of all accounts in service; undefined without credits, or if credits must not be spent. */
  readonly credits: Credits | undefined;
  /** The backend's code for why the workspace of the account that is back first allows no more; only if exhausted. */
  readonly reachedType: string | undefined;
  /** True if the workspaces of all accounts in service have spent what their owners allow. */
  readonly spendControlReached: boolean;
}

/** The plan that clients get while no account's plan is known. */
export const DEFAULT_PLAN = "plus";

/** Plans by what they offer. Codex is shown the last one here that an account of the pool has. */
const PLANS: readonly string[] = ["free", "go", "plus", "edu", "team", "business", "enterprise", "pro"];

/** Pools the enabled accounts. Disabled accounts do not count. */
export function pooledUsage(
  accounts: readonly PooledAccount[],
  view: QuotaView,
  useCredits: boolean,
): PooledUsage {
  let planType: string | undefined;
  let members = 0;
  let withRoom = 0;
  let limitEndMs: number | undefined;
  let credits: Credits | undefined;
  let spendControlled = 0;
  for (const { health, quota, summary } of accounts) {
    if (health.kind === "disabled") continue;
    members++;
    if (quota.spending.spendControl?.value === true) spendControlled++;
    planType = betterPlan(planType, quota.planType);
    const untilMs = limitEnd(health, view.nowMs);
    if (useCredits && summary.credits) credits = addCredits(credits, quota.spending.credits?.value);
    if (untilMs !== undefined) limitEndMs = Math.min(limitEndMs ?? untilMs, untilMs);
    else if (!summary.exhausted || (useCredits && summary.credits)) withRoom++;
  }
  const reached = members > 0 && withRoom === 0;
  const first = reached ? backFirst(accounts, view) : undefined;
  const reachedType = first && workspaceReason(first.quota.spending);
  let windows: ByWindow<PooledWindow> = {
    short: pooledWindowOf(accounts, "short", first),
    weekly: pooledWindowOf(accounts, "weekly", first),
    monthly: pooledWindowOf(accounts, "monthly", first),
  };
  // The backend refuses although no figure says why, so the window that resets with the refusal is shown as exhausted.
  if (first !== undefined && reachedType === undefined && !presentOf(windows).some(({ left }) => left === 0))
    windows = { ...windows, ...refusedWindow(accounts, windows, limitEndMs, view.nowMs) };
  return {
    planType: planType ?? DEFAULT_PLAN,
    main: {
      id: MAIN_LIMIT_ID,
      name: undefined,
      model: undefined,
      windows,
      reached,
      closed: members === 0,
    },
    additional: pooledLimits(accounts, view),
    credits,
    reachedType,
    spendControlReached: members > 0 && spendControlled === members,
  };
}

/**
 * Used share of a pooled window in whole percent, 0..100. Never 100 while the pool has quota left, because Codex would
 * stop sending.
 */
export function usedPercent({ left }: PooledWindow, { reached }: Pick<PooledLimit, "reached">): number {
  return Math.min(reached ? 100 : 99, Math.max(0, Math.round(100 - left * 100)));
}

/** Two windows at their wire positions. */
export interface Slots {
  readonly primary: PooledWindow | undefined;
  readonly secondary: PooledWindow | undefined;
}

/** The pooled windows for the two wire positions, shortest first. A pool with all three omits the longest. */
export function slotsOf({ windows }: Pick<PooledLimit, "windows">): Slots {
  const [primary, secondary] = presentOf(windows);
  return { primary, secondary };
}

/** A balance as the backend writes it: a decimal number as text, "" without credits. */
export function balanceText(credits: Credits | undefined): string {
  return credits === undefined ? "" : String(Math.round(credits.balance * 100) / 100);
}

// --- internal ---

/** When the limit ends because of which an account is cooling, Unix ms; undefined if there is none. */
function limitEnd(health: Health, nowMs: number): number | undefined {
  return health.kind === "cooling" && health.cause === "limit" && health.untilMs > nowMs
    ? health.untilMs
    : undefined;
}

function betterPlan(known: string | undefined, other: string | undefined): string | undefined {
  if (other === undefined || other === known) return known;
  return known === undefined || PLANS.indexOf(other) > PLANS.indexOf(known) ? other : known;
}

function addCredits(sum: Credits | undefined, credits: Credits | undefined): Credits | undefined {
  if (credits === undefined) return sum;
  return {
    hasCredits: true,
    unlimited: credits.unlimited || sum?.unlimited === true,
    balance: credits.balance + (sum?.balance ?? 0),
  };
}

/** The account in service that can serve again first. All of them are exhausted. */
function backFirst(accounts: readonly PooledAccount[], view: QuotaView): PooledAccount | undefined {
  const backMs = ({ health, summary }: PooledAccount): number =>
    Math.max(
      limitEnd(health, view.nowMs) ?? 0,
      summary.exhausted ? (summary.exhaustedUntilMs ?? Number.POSITIVE_INFINITY) : 0,
    );
  const inService = accounts.filter(({ health }) => health.kind !== "disabled");
  return inService.reduce<PooledAccount | undefined>(
    (first, account) => (first === undefined || backMs(account) < backMs(first) ? account : first),
    undefined,
  );
}

/**
 * One window of the main limit over all accounts that have and know it. In an exhausted pool the windows that are
 * exhausted on the account which is back `first` are shown as exhausted until their reset there, so that the figures
 * explain the problem and when it ends. One plain loop, because it runs for every turn over every account.
 */
function pooledWindowOf(
  accounts: readonly PooledAccount[],
  kind: WindowKind,
  first: PooledAccount | undefined,
): PooledWindow | undefined {
  const blocking = first?.summary.windows[kind];
  if (blocking?.left === 0)
    return {
      kind,
      left: 0,
      resetAtMs: blocking.resetAtMs,
      windowSeconds: blocking.lengthMs / 1000,
    };
  let known = 0;
  let sum = 0;
  let resetMs = Number.POSITIVE_INFINITY;
  let lengthMs = 0;
  for (const { health, summary } of accounts) {
    const window = summary.windows[kind];
    if (window?.left === undefined || health.kind === "disabled") continue;
    const { left, resetAtMs } = window;
    if (known === 0) lengthMs = window.lengthMs;
    if (resetAtMs !== undefined && resetAtMs < resetMs) resetMs = resetAtMs;
    known++;
    sum += left;
  }
  if (known === 0) return undefined;
  return {
    kind,
    left: sum / known,
    resetAtMs: resetMs === Number.POSITIVE_INFINITY ? undefined : resetMs,
    windowSeconds: lengthMs / 1000,
  };
}

/** The shortest window that a refusal until `untilMs` can concern, as exhausted. */
function refusedWindow(
  accounts: readonly PooledAccount[],
  known: ByWindow<PooledWindow>,
  untilMs: number | undefined,
  nowMs: number,
): Partial<ByWindow<PooledWindow>> {
  const possible = WINDOW_KINDS.filter((kind) =>
    accounts.some(({ summary }) => summary.windows[kind] !== undefined),
  );
  const seconds = (kind: WindowKind) => known[kind]?.windowSeconds ?? USUAL_SECONDS[kind];
  const kind =
    possible.find((one) => untilMs === undefined || untilMs - nowMs <= seconds(one) * 1000) ??
    possible.at(-1);
  if (kind === undefined) return {};
  return { [kind]: { kind, left: 0, resetAtMs: untilMs, windowSeconds: seconds(kind) } };
}

// Follows the windows of accounts through one possible future: what is used, which windows run out, and which begin
// again at their resets.

import type { DemandPath } from "./demand.ts";
import { HOUR_MS } from "./meter-history.ts";

/** One window at the start of a simulation. */
export interface SimulatedWindow {
  /** Its meter: an index of the path. */
  readonly meter: number;
  /** Percentage points that may be spent. */
  readonly left: number;
  /** How many of them may be spent after a reset. */
  readonly full: number;
  /** How many of them are spent only when no account has any above its floor. */
  readonly floor: number;
  /** Unix ms; undefined: the window begins with the next use. */
  readonly resetAtMs: number | undefined;
  readonly lengthMs: number;
}

export interface SimulatedAccount {
  /** How much it can serve, relative to the others: one point of it is `size` points of demand. */
  readonly size: number;
  /** Accounts with a higher priority serve first. */
  readonly priority: number;
  /** Until when it serves nothing, Unix ms; 0: it serves now. */
  readonly closedUntilMs: number;
  readonly windows: readonly SimulatedWindow[];
}

export interface SimulationOptions {
  readonly nowMs: number;
  /** The end of the simulation, Unix ms. */
  readonly untilMs: number;
  /** True: stop when no account serves, and use that the accounts cannot serve waits. False: it goes elsewhere. */
  readonly isPool: boolean;
}

export interface SimulationResult {
  /** When no account could serve for the first time, Unix ms; Infinity: never. */
  readonly outMs: number;
  /** For each account and window: when it first ran out, Unix ms; Infinity if it was reset before. */
  readonly emptyMs: readonly (readonly number[])[];
}

/**
 * The outcome of `path`. Accounts above their floors serve before those at their floor, and among them those with the
 * highest priority. Each account that serves gets a part of the use in proportion to its size.
 */
export function simulate(
  accounts: readonly SimulatedAccount[],
  path: DemandPath,
  { nowMs, untilMs, isPool }: SimulationOptions,
): SimulationResult {
  const states = accounts.map(({ windows }) => windows.map(stateOf));
  const ranks: (ServingRank | undefined)[] = accounts.map(() => undefined);
  const waiting = new Float64Array(path.length);
  const missing = new Float64Array(path.length);
  const sizes = new Float64Array(path.length);
  const firstHourMs = Math.floor(nowMs / HOUR_MS) * HOUR_MS;
  const result = (outMs: number) => ({
    outMs,
    emptyMs: states.map((windows) => windows.map(({ emptyMs }) => emptyMs)),
  });
  for (let atMs = nowMs; atMs < untilMs; atMs += STEP_MS) {
    const stepMs = Math.min(STEP_MS, untilMs - atMs);
    const slot = Math.floor((atMs - firstHourMs) / HOUR_MS);
    // Without use nothing runs out. Resets are noticed with the next use.
    if (atMs > nowMs && isIdle(path, slot, waiting)) continue;
    sizes.fill(0);
    missing.fill(0);
    let serving = 0;
    let first: ServingRank | undefined;
    for (const [index, account] of accounts.entries()) {
      const windows = states[index] ?? [];
      for (const window of windows) renew(window, atMs);
      ranks[index] = rankOf(account, windows, atMs);
      const rank = ranks[index];
      if (rank === undefined) continue;
      serving++;
      if (first === undefined || isBefore(rank, first)) first = rank;
    }
    if (first === undefined && isPool) return result(atMs);
    const isFirst = (index: number) => isSame(ranks[index], first);
    for (const [index, { size }] of accounts.entries())
      if (isFirst(index))
        for (const { meter } of states[index] ?? []) sizes[meter] = (sizes[meter] ?? 0) + size;
    let lastEmptyMs = atMs;
    let emptied = 0;
    for (const [index, account] of accounts.entries()) {
      if (!isFirst(index)) continue;
      const windows = states[index] ?? [];
      let emptyMs = Number.POSITIVE_INFINITY;
      for (const window of windows) {
        const { meter } = window;
        const due = ((path[meter]?.[slot] ?? 0) * stepMs) / HOUR_MS + (waiting[meter] ?? 0);
        // Parts of the pool's use are in proportion to the sizes, so the size cancels out.
        const points = sizes[meter] ? due / sizes[meter] : 0;
        if (points <= 0) continue;
        if (window.resetMs === undefined) window.resetMs = atMs + window.lengthMs;
        // Below a floor, an account serves only while no other one is above its own.
        const keptBack = first?.isAboveFloor ? window.floor : 0;
        const spendable = window.left - keptBack;
        if (points < spendable) window.left -= points;
        else {
          const ownMs = atMs + (stepMs * spendable) / points;
          missing[meter] = (missing[meter] ?? 0) + (points - spendable) * account.size;
          window.left = keptBack;
          if (keptBack > 0) continue;
          if (!window.isLater) window.emptyMs = Math.min(window.emptyMs, ownMs);
          emptyMs = Math.min(emptyMs, ownMs);
        }
      }
      if (emptyMs === Number.POSITIVE_INFINITY) continue;
      emptied++;
      lastEmptyMs = Math.max(lastEmptyMs, emptyMs);
    }
    if (isPool) {
      waiting.set(missing);
      if (emptied === serving && !someRenews(accounts, states, atMs + stepMs)) return result(lastEmptyMs);
    }
  }
  return result(Number.POSITIVE_INFINITY);
}

// --- internal ---

/** Short enough for windows of five hours. */
const STEP_MS = HOUR_MS / 2;

interface WindowState extends Pick<SimulatedWindow, "meter" | "lengthMs" | "full" | "floor"> {
  left: number;
  resetMs: number | undefined;
  emptyMs: number;
  /** True after its first reset. */
  isLater: boolean;
}

function isIdle(path: DemandPath, slot: number, waiting: Float64Array): boolean {
  return path.every((rates, meter) => !rates[slot] && !waiting[meter]);
}

function stateOf({ resetAtMs, ...window }: SimulatedWindow): WindowState {
  return {
    ...window,
    resetMs: resetAtMs,
    emptyMs: Number.POSITIVE_INFINITY,
    isLater: false,
  };
}

function renew(window: WindowState, atMs: number): void {
  if (window.resetMs === undefined || window.resetMs > atMs) return;
  window.left = window.full;
  window.resetMs = undefined;
  window.isLater = true;
}

/** How an account ranks among those that can serve. */
interface ServingRank {
  readonly isAboveFloor: boolean;
  readonly priority: number;
}

/** The rank of an account; undefined if it cannot serve. */
function rankOf(
  { closedUntilMs, priority }: SimulatedAccount,
  windows: readonly WindowState[],
  atMs: number,
): ServingRank | undefined {
  if (closedUntilMs > atMs || windows.some(({ left }) => left <= 0)) return undefined;
  return { isAboveFloor: windows.every(({ left, floor }) => left > floor), priority };
}

function isBefore(one: ServingRank, other: ServingRank): boolean {
  return one.isAboveFloor === other.isAboveFloor ? one.priority > other.priority : one.isAboveFloor;
}

function isSame(one: ServingRank | undefined, other: ServingRank | undefined): boolean {
  return (
    one !== undefined &&
    other !== undefined &&
    one.isAboveFloor === other.isAboveFloor &&
    one.priority === other.priority
  );
}

/** True if an account serves again at `atMs`. */
function someRenews(
  accounts: readonly SimulatedAccount[],
  states: readonly (readonly WindowState[])[],
  atMs: number,
): boolean {
  return accounts.some(
    ({ closedUntilMs }, index) =>
      closedUntilMs <= atMs &&
      (states[index] ?? []).every(
        ({ left, resetMs }) => left > 0 || (resetMs !== undefined && resetMs <= atMs),
      ),
  );
}

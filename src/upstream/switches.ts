// Remembers the last times that turns moved from one account to another, and why. They are kept in memory. A new
// process begins with those in the event log (logged-switches.ts).

import { windowsAtFloor } from "../core/account-options.ts";
import type { Candidate } from "../core/availability.ts";
import { isOpen } from "../core/availability.ts";
import { FLOOR_REASON } from "../core/capacity.ts";
import type { ChoiceReason } from "../core/policy.ts";
import type { AccountSwitch, MovedTurn } from "../core/pool-facts.ts";
import { exhaustedWindow } from "../core/quota-summary.ts";
import { FULL_REASON } from "../core/turn-limit.ts";

/** A turn that an upstream has served. */
export interface ServedTurn {
  /** The upstream. */
  readonly id: string;
  /** Why it was chosen. */
  readonly reason: ChoiceReason;
  /** The upstream that served the session's previous turn, if there was one. */
  readonly servedId: string | undefined;
  /** The first upstream that failed this turn, if one did. */
  readonly failedId: string | undefined;
  /** True if the upstream that the session belongs to was full when this one was chosen. */
  readonly leavesFull: boolean;
  /** The requested model, if known. */
  readonly model: string | undefined;
  readonly session: string | undefined;
}

export interface Switches {
  /**
   * Records the turn if it is a switch, and returns the switch. Undefined if it is not one, because it was served by
   * the upstream of the session's previous turn, or because it is the first turn and no upstream failed it. If turns
   * moved between the same accounts for the same reason shortly before, the returned switch counts them too.
   */
  note(turn: ServedTurn): AccountSwitch | undefined;
  /** Adds a turn that moved on another replica. */
  add(moved: MovedTurn): void;
  /** The newest first. */
  latest(): readonly AccountSwitch[];
}

export interface SwitchesContext {
  /** The turns that moved in earlier processes, oldest first. */
  readonly past: readonly MovedTurn[];
  /** Gets each turn that moves here. */
  readonly share: ((moved: MovedTurn) => void) | undefined;
  readonly nowMs: () => number;
  /** The current candidate for `model`; undefined if the upstream is gone. */
  readonly candidate: (id: string, model: string | undefined) => Candidate | undefined;
  /** The alias or the name; undefined if the upstream is gone. */
  readonly label: (id: string) => string | undefined;
  /** True if sessions stay with their account (policy.affinity). */
  readonly keepsSessions: () => boolean;
}

/** How many are remembered. */
const MOST_SWITCHES = 20;
/**
 * When an account fails, all of its sessions move. The history counts switches as one if each follows the one before
 * it within this time, ms.
 */
const SAME_MS = 10 * 60_000;

export function createSwitches(context: SwitchesContext): Switches {
  const { past, share, nowMs, candidate, label, keepsSessions } = context;
  let known = switchHistory(past);
  return {
    note: (turn) => {
      const { id, session } = turn;
      const fromId = turn.servedId ?? turn.failedId;
      if (fromId === undefined || fromId === id) return undefined;
      const [from, to] = [label(fromId), label(id)];
      const left = candidate(fromId, turn.model);
      if (from === undefined || to === undefined || left === undefined) return undefined;
      const named = session === undefined ? {} : { session };
      const cause = causeOf(left, turn, keepsSessions());
      const moved = { atMs: nowMs(), from, to, ...cause, ...named };
      share?.(moved);
      known = withMoved(known, moved);
      return known[0];
    },
    add: (moved) => {
      // Without the server of the pool, others' switches arrive late.
      known = withMoved(known, moved).toSorted((one, other) => other.atMs - one.atMs);
    },
    latest: () => known,
  };
}

/** The last switches, the newest first, of turns that moved (`past`, oldest first). */
export function switchHistory(past: readonly MovedTurn[]): readonly AccountSwitch[] {
  return past.reduce<readonly AccountSwitch[]>(withMoved, []);
}

// --- internal ---

/** `known` with one more turn that moved, the newest switch first. */
function withMoved(known: readonly AccountSwitch[], moved: MovedTurn): readonly AccountSwitch[] {
  const before = known.find(
    (one) =>
      one.from === moved.from &&
      one.to === moved.to &&
      one.reason === moved.reason &&
      one.window === moved.window &&
      one.replica === moved.replica &&
      moved.atMs - one.atMs < SAME_MS,
  );
  const count = (before?.count ?? 0) + 1;
  const found = { ...moved, firstAtMs: before?.firstAtMs ?? moved.atMs, count };
  return [found, ...known.filter((one) => one !== before)].slice(0, MOST_SWITCHES);
}

/** Why the turn left its account. `keepsSessions`: it would have stayed if it could. */
function causeOf(
  left: Candidate,
  { reason: chosen, failedId, leavesFull }: ServedTurn,
  keepsSessions: boolean,
): Pick<AccountSwitch, "reason" | "window"> {
  if (chosen === "pinned") return { reason: chosen };
  if (left.reason === FLOOR_REASON) {
    const window = windowsAtFloor(left.summary.windows, left.options)[0]?.kind;
    return { reason: FLOOR_REASON, ...(window === undefined ? {} : { window }) };
  }
  if (left.condition === "exhausted" || !isOpen(left.condition)) {
    const window = exhaustedWindow(left.summary)?.kind;
    return { reason: left.reason ?? left.condition, ...(window === undefined ? {} : { window }) };
  }
  if (left.draining) return { reason: "draining" };
  if (failedId === left.id) return { reason: "request-failed" };
  if (leavesFull) return { reason: FULL_REASON };
  return { reason: keepsSessions && chosen !== "affinity" ? "request-failed" : chosen };
}

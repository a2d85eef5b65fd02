// Remembers the last times that turns moved from one account to another, and why. They are in memory only: a restart
// forgets them, and the event log has the details.

import type { Candidate } from "../core/availability.ts";
import { isOpen } from "../core/availability.ts";
import type { ChoiceReason } from "../core/policy.ts";
import type { AccountSwitch } from "../core/pool-facts.ts";
import { exhaustedWindow } from "../core/quota-summary.ts";

/** A served turn of a session, or of a request without one, that another upstream served before. */
export interface MovedTurn {
  readonly fromId: string;
  readonly toId: string;
  /** Why the policy chose the new upstream. */
  readonly reason: ChoiceReason;
  /** True if the turn belongs to a session that stays with its account if it can. */
  readonly bound: boolean;
  /** The requested model, if known. */
  readonly model: string | undefined;
  readonly session: string | undefined;
}

export interface Switches {
  note(turn: MovedTurn): void;
  /** The newest first. */
  latest(): readonly AccountSwitch[];
}

export interface SwitchesContext {
  readonly nowMs: () => number;
  /** The current candidate for `model`; undefined if the upstream is gone. */
  readonly candidate: (id: string, model: string | undefined) => Candidate | undefined;
  /** The alias or the name; undefined if the upstream is gone. */
  readonly label: (id: string) => string | undefined;
}

/** How many are remembered. */
const MOST_SWITCHES = 20;
/** When an account fails, all of its sessions move; within this time that is one switch, ms. */
const SAME_MS = 10 * 60_000;

export function createSwitches({ nowMs, candidate, label }: SwitchesContext): Switches {
  let known: readonly AccountSwitch[] = [];
  return {
    note: ({ fromId, toId, reason: chosen, bound, model, session }) => {
      const [from, to] = [label(fromId), label(toId)];
      const left = candidate(fromId, model);
      if (from === undefined || to === undefined || left === undefined) return;
      const cause = causeOf(left, chosen, bound);
      if (cause === undefined) return;
      const atMs = nowMs();
      const isKnown = known.some(
        (one) =>
          one.from === from && one.to === to && one.reason === cause.reason && atMs - one.atMs < SAME_MS,
      );
      if (isKnown) return;
      const named = session === undefined ? {} : { session };
      known = [{ atMs, from, to, ...cause, ...named }, ...known].slice(0, MOST_SWITCHES);
    },
    latest: () => known,
  };
}

// --- internal ---

/** The reasons for which a policy moves new sessions from an account that could serve them. Others only balance. */
const PREFERENCES: ReadonlySet<ChoiceReason> = new Set(["usage-hysteresis", "reset-aware"]);

/** Why the turn left its account; undefined if the policy only balances the load. */
function causeOf(
  left: Candidate,
  chosen: ChoiceReason,
  bound: boolean,
): Pick<AccountSwitch, "reason" | "window"> | undefined {
  if (chosen === "pinned") return { reason: chosen };
  if (left.condition === "exhausted" || !isOpen(left.condition)) {
    const window = exhaustedWindow(left.summary)?.kind;
    return { reason: left.reason ?? left.condition, ...(window === undefined ? {} : { window }) };
  }
  if (left.draining) return { reason: "draining" };
  if (bound) return { reason: "request-failed" };
  return PREFERENCES.has(chosen) ? { reason: chosen } : undefined;
}

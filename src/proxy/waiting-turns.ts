// Decides which turns wait for a reset, and how long. If every account is exhausted, and one has a reset within the time
// that the settings or the run allow, the turn is kept open and tried again at that reset, or earlier if an account can
// take it (wait-queue.ts). If it is refused after its wait, it waits again, each time a little longer before it is tried;
// the bound stays the same.

import { BoundedMap } from "../core/bounded-map.ts";
import type { WaitingSummary } from "../core/run-tag.ts";
import { FIELD_NAMES } from "../core/status-quota.ts";
import { LONGEST_WAIT_MS, waitBoundOf } from "../core/wait-bound.ts";
import type { Clock } from "../deps.ts";
import type { EventLog } from "../state/events.ts";
import type { Pool } from "../upstream/pool.ts";
import type { Shortage } from "../upstream/shortage.ts";
import { createWaitQueue, LOOK_MS } from "./wait-queue.ts";
import {
  expectReset,
  resetWithin,
  type UnservedTurn,
  type WaitEnd,
  type WaitingTurn,
  type WaitTerms,
} from "./waiting-turn.ts";

/** The wait of one turn. It may wait several times; the bound is for all of them together. */
export interface TurnWait {
  /** Waits. Undefined if the turn must not wait, or not any longer. */
  next(): Promise<WaitEnd> | undefined;
}

export interface WaitingTurns {
  /** Prepares a wait for a turn that cannot be served because of `shortage`; undefined if the turn must not wait. */
  waitFor(turn: UnservedTurn, shortage: Shortage): TurnWait | undefined;
  /** Whether turns of `incoming` would wait because of `shortage`. */
  wouldWait(incoming: WaitTerms, shortage: Shortage): boolean;
  /** Whether turns of `incoming` may wait for a reset at all. */
  mayWait(incoming: WaitTerms): boolean;
  /** The turns that wait now, or those of one run. */
  summary(runId?: string): WaitingSummary;
  /** Refuses all waiting turns, and lets no more turns wait. */
  stop(): void;
}

export interface WaitingTurnsContext {
  readonly clock: Clock;
  readonly pool: Pick<Pool, "takerOf" | "shortage" | "live">;
  readonly events: EventLog;
  /** The setting `proxy.wait_for_reset`. */
  readonly waitForReset: () => string;
}

export function createWaitingTurns(context: WaitingTurnsContext): WaitingTurns {
  const { clock, pool, waitForReset } = context;
  const queue = createWaitQueue(context);
  /** The runs of the last turns that have continued, by the ids of their requests. */
  const resumed = new BoundedMap<number, string>(MOST_RESUMED);
  let isStopped = false;

  const allowedMs = ({ hops, waitMs, anchorsId }: WaitTerms): number => {
    // A proxy in front has other accounts, and lets turns wait itself. Another turn can start a window later.
    if (isStopped || hops.length > 0 || anchorsId !== undefined) return 0;
    return Math.min(LONGEST_WAIT_MS, Math.max(waitMs, waitBoundOf(waitForReset()) ?? 0));
  };

  const wait = (unserved: UnservedTurn, leftMs: () => number, pauseMs: number, shortage: Shortage) =>
    new Promise<WaitEnd>((resolve) => {
      const nowMs = clock.now();
      const { incoming } = unserved;
      const turn: WaitingTurn = {
        ...unserved,
        leftMs,
        mayWait: () => allowedMs(incoming) > 0,
        sinceMs: nowMs,
        silentUntilMs: nowMs,
        notBeforeMs: nowMs + pauseMs,
        untilMs: 0,
        shortageUntilMs: 0,
        first: undefined,
        ended: (end) => {
          if (end === "again" && incoming.runId !== undefined)
            resumed.set(incoming.requestId, incoming.runId);
          resolve(end);
        },
      };
      expectReset(turn, shortage, nowMs);
      queue.add(turn);
    });

  return {
    mayWait: (incoming) => allowedMs(incoming) > 0,
    wouldWait: (incoming, shortage) => resetWithin(shortage, clock.now(), allowedMs(incoming)) !== undefined,
    waitFor: (unserved, shortage) => {
      const { incoming, origin, signal } = unserved;
      if (resetWithin(shortage, clock.now(), allowedMs(incoming)) === undefined) return undefined;
      const beganMs = clock.now();
      const beganAt = clock.monotonic();
      // One of the clocks may have been set back, and the other one does not run while the machine sleeps.
      const passedMs = () => Math.max(clock.now() - beganMs, clock.monotonic() - beganAt);
      const leftMs = () => allowedMs(incoming) - passedMs();
      let waits = 0;
      return {
        next: () => {
          const current = waits === 0 ? shortage : pool.shortage(origin.session, origin.model, incoming.tags);
          if (signal.aborted || resetWithin(current, clock.now(), leftMs()) === undefined) return undefined;
          if (!queue.hasRoom(unserved.bytes)) return undefined;
          const pauseMs = waits === 0 ? 0 : Math.min(LONGEST_PAUSE_MS, LOOK_MS * 2 ** (waits - 1));
          waits++;
          return wait(unserved, leftMs, pauseMs, current);
        },
      };
    },
    summary: (runId) => {
      const turns = queue.turns().filter(({ incoming }) => runId === undefined || incoming.runId === runId);
      const count = pool
        .live()
        .filter(({ requestId }) => runId !== undefined && resumed.get(requestId) === runId).length;
      return { ...summaryOf(turns), ...(count === 0 ? {} : { resumed: count }) };
    },
    stop: () => {
      isStopped = true;
      queue.refuseAll("shutting_down");
    },
  };
}

// --- internal ---

/** How many turns that have continued are remembered with their runs. */
const MOST_RESUMED = 256;
/** The longest time before a turn is tried again that was refused after its wait. */
const LONGEST_PAUSE_MS = 60_000;

function summaryOf(turns: readonly WaitingTurn[]): WaitingSummary {
  const [next] = [...turns].sort((a, b) => a.untilMs - b.untilMs);
  if (next === undefined) return { turns: 0 };
  const { untilMs, first } = next;
  const window = first?.window;
  return {
    turns: turns.length,
    untilMs,
    account: first?.label,
    window: window === undefined ? undefined : FIELD_NAMES[window],
  };
}

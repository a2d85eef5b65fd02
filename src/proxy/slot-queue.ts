// The queue of turns for which every account that could serve them is full, that is, serves as many concurrent turns as
// its option `concurrency` allows.
//
//   a turn ends, here or elsewhere the oldest turn that can use its slot gets it in the same step, so nothing overtakes
//   another turn arrives           the turns in the queue come first
//   the settings change            noticed within a second
//   bound, shutdown                the turn is refused, and its client may send it again

import type { Clock } from "../deps.ts";
import type { EventLog } from "../state/events.ts";
import type { Lease } from "../upstream/leases.ts";
import type { Pool } from "../upstream/pool.ts";
import { hasRoomFor } from "./wait-queue.ts";

/** The longest wait, ms. Codex gives up after 300 s of silence. */
export const LONGEST_SLOT_WAIT_MS = 60_000;

/** A turn that no account takes now. */
export interface SlotTurn {
  readonly requestId: number;
  readonly session: string | undefined;
  /** The memory that it takes while it waits. */
  readonly bytes: number;
  /** Aborted when the client disconnects. */
  readonly signal: AbortSignal;
  /** Takes a slot; undefined if there is none. */
  pick(): Lease | undefined;
  /** True while a free slot is all that the turn needs, and only waiting here can get it one. */
  isWaiting(): boolean;
}

/** The slot of the turn. `none`: it gets none, or not on its connection. `left`: its client has disconnected. */
export type SlotWaitEnd = Lease | "none" | "left";

export interface SlotQueue {
  /** Gives free slots to the turns that wait. Call it before another turn takes one. */
  serve(): void;
  /** Waits for a slot, at most `mostMs`. */
  wait(turn: SlotTurn, mostMs: number): Promise<SlotWaitEnd>;
  /** How many turns wait. */
  count(): number;
  /** Ends all waits, and lets no more turns wait. */
  stop(): void;
  /** True after `stop`. */
  isStopped(): boolean;
}

export interface SlotQueueContext {
  readonly clock: Clock;
  readonly pool: Pick<Pool, "onRoom">;
  readonly events: EventLog;
}

export function createSlotQueue({ clock, pool, events }: SlotQueueContext): SlotQueue {
  /** Oldest first. */
  const waiting = new Map<SlotTurn, Waiter>();
  let waitingBytes = 0;
  let cancelLook: (() => void) | undefined;
  let isStopped = false;

  const end = (turn: SlotTurn, how: SlotWaitEnd, reason: string): void => {
    const waiter = waiting.get(turn);
    if (waiter === undefined) return;
    waiting.delete(turn);
    waitingBytes -= turn.bytes;
    turn.signal.removeEventListener("abort", waiter.leave);
    if (waiting.size === 0) {
      cancelLook?.();
      cancelLook = undefined;
    }
    const waited_seconds = Math.round((clock.monotonic() - waiter.sinceAt) / 1000);
    events.append("request.queue_ended", { req_id: turn.requestId, waited_seconds, reason });
    waiter.ended(how);
  };

  const serve = (): void => {
    for (const turn of waiting.keys()) {
      const lease = turn.pick();
      if (lease !== undefined) end(turn, lease, "placed");
    }
  };

  const look = (): void => {
    cancelLook = undefined;
    serve();
    const now = clock.monotonic();
    for (const [turn, { untilAt }] of waiting) {
      if (untilAt <= now) end(turn, "none", "expired");
      else if (!turn.isWaiting()) end(turn, "none", "not_full");
    }
    if (waiting.size > 0) cancelLook = clock.after(LOOK_MS, look);
  };

  pool.onRoom(() => {
    if (waiting.size > 0) serve();
  });

  return {
    serve: () => {
      if (waiting.size > 0) serve();
    },
    wait: (turn, mostMs) => {
      if (turn.signal.aborted) return Promise.resolve("left");
      if (isStopped || mostMs <= 0 || !hasRoomFor(waiting.size, waitingBytes, turn.bytes))
        return Promise.resolve("none");
      return new Promise((resolve) => {
        const sinceAt = clock.monotonic();
        const leave = () => end(turn, "left", "client_left");
        waiting.set(turn, { sinceAt, untilAt: sinceAt + mostMs, leave, ended: resolve });
        waitingBytes += turn.bytes;
        turn.signal.addEventListener("abort", leave, { once: true });
        events.append("request.queued", {
          req_id: turn.requestId,
          session: turn.session,
          wait_seconds: Math.ceil(mostMs / 1000),
        });
        cancelLook ??= clock.after(LOOK_MS, look);
      });
    },
    count: () => waiting.size,
    stop: () => {
      isStopped = true;
      for (const turn of [...waiting.keys()]) end(turn, "none", "shutting_down");
    },
    isStopped: () => isStopped,
  };
}

// --- internal ---

/** How often the queue looks for changes that no turn of this process has caused. */
const LOOK_MS = 1_000;

interface Waiter {
  /** Monotonic ms, like `untilAt`. */
  readonly sinceAt: number;
  readonly untilAt: number;
  readonly leave: () => void;
  readonly ended: (how: SlotWaitEnd) => void;
}

// The commit barrier: the events of a turn are held until one is worth committing to, so that another account can still
// answer a turn that meets a limit or an overload at its beginning. The same bounds hold for both transports.

import type { Clock } from "../../deps.ts";
import type { Timeouts } from "../context.ts";
import { createIdleWatch, idleWhy } from "../timeouts.ts";

/** After this long without output the client gets what there is, because it may be waiting for a sign of life. */
export const HOLD_MS = 10_000;
/** A preamble repeats the request's instructions, which take some tens of kB. */
const MOST_HELD_SIZE = 1024 * 1024;
/** A preamble has three or four events. */
export const MOST_HELD_EVENTS = 256;

/** Why the barrier opened although no output has arrived. */
export type BarrierOpening =
  /** A bound is reached: commit to what is held. */
  | { readonly kind: "bound" }
  /** The upstream was silent for too long. */
  | { readonly kind: "silent"; readonly why: string };

export interface CommitBarrier<Event> {
  readonly held: readonly Event[];
  /** Holds `event` of `size` bytes or characters. Opens the barrier when that reaches a bound. */
  hold(event: Event, size: number): void;
  /** The upstream gave a sign of life. */
  heard(): void;
  /** True once a bound is reached, or `stop` was called. */
  isOpen(): boolean;
  /** No more waiting. */
  stop(): void;
}

/** Starts the waits of a turn's beginning. `opened` is called at most once. */
export function createCommitBarrier<Event>(
  clock: Clock,
  timeouts: Pick<Timeouts, "idleMs">,
  opened: (opening: BarrierOpening) => void,
): CommitBarrier<Event> {
  const held: Event[] = [];
  let size = 0;
  let isOpen = false;
  const stop = (): void => {
    isOpen = true;
    cancelTimer();
    idle?.stop();
  };
  const open = (opening: BarrierOpening): void => {
    if (isOpen) return;
    stop();
    opened(opening);
  };
  const cancelTimer = clock.after(HOLD_MS, () => open({ kind: "bound" }));
  // A silence that may last longer than events are held cannot open the barrier.
  const idle =
    timeouts.idleMs < HOLD_MS
      ? createIdleWatch(
          clock,
          () => timeouts.idleMs,
          () => open({ kind: "silent", why: idleWhy(timeouts) }),
        )
      : undefined;
  idle?.begin();
  return {
    held,
    hold: (event, eventSize) => {
      held.push(event);
      size += eventSize;
      if (size > MOST_HELD_SIZE || held.length >= MOST_HELD_EVENTS) open({ kind: "bound" });
    },
    heard: () => idle?.begin(),
    isOpen: () => isOpen,
    stop,
  };
}

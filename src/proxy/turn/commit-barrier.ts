// The commit barrier holds back the events of a turn until its first output, so that another account can still serve a
// turn that begins with a limit or an overload. Both transports have the same bounds.

import type { Clock } from "../../deps.ts";
import type { Timeouts } from "../context.ts";
import { createIdleWatch, idleWhy } from "../timeouts.ts";

/** After this long without output the client gets the events so far, because it may be waiting for a sign of life. */
export const HOLD_MS = 10_000;
/** A preamble repeats the request's instructions, which take some tens of kB. */
const MOST_HELD_SIZE = 1024 * 1024;
/** A preamble has three or four events. */
export const MOST_HELD_EVENTS = 256;

/** Why the barrier opened before any output. */
export type BarrierOpening =
  /** A bound was reached: commit to the events held back. */
  | { readonly kind: "bound" }
  /** The upstream was silent for too long. */
  | { readonly kind: "silent"; readonly why: string };

export interface CommitBarrier<Event> {
  readonly held: readonly Event[];
  /** Holds back `event` of `size` bytes or characters. Opens the barrier if that reaches a bound. */
  hold(event: Event, size: number): void;
  /** Records a sign of life from the upstream. */
  heard(): void;
  /** True once a bound is reached, or `stop` was called. */
  isOpen(): boolean;
  /** Opens the barrier and cancels its timers. */
  stop(): void;
}

/** Starts the timers of the barrier. `opened` is called at most once. */
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
  // A longer idle timeout cannot open the barrier, because the bound on time comes first.
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

// Notices when the system clock is set back, and corrects the stored times.

import type { Clock, Deps } from "../deps.ts";
import type { EventLog } from "../state/events.ts";
import { makePlausible, setBack } from "../state/record-changes.ts";
import type { Store } from "../state/store.ts";
import type { Child } from "../upstream/child.ts";

export interface ClockWatchContext {
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly store: Store;
  readonly children: () => readonly Child[];
  readonly events: EventLog;
}

/** How often the clock is compared with the time that has actually passed. */
const LOOK_MS = 1_000;
/** Smaller corrections of a clock are normal. */
const TOLERATED_MS = 1_000;

/** Starts watching; the returned function stops it. */
export function watchClock({ deps, store, children, events }: ClockWatchContext): () => void {
  return onSetBack(deps.clock, (byMs) => {
    const nowMs = deps.clock.now();
    for (const record of store.state.accounts) {
      setBack(record, byMs, nowMs);
      makePlausible(record, nowMs);
    }
    for (const { record } of children()) setBack(record, byMs, nowMs);
    store.touch();
    events.append("clock.set_back", { by_ms: byMs });
    deps.log.warn(
      `the system clock was set back by ${Math.round(byMs / 1000)} s; cooldowns are not extended`,
    );
  });
}

// --- internal ---

/** Calls `setBack` after backward jumps. Ignores forward jumps and sleep, which only end waits early. */
function onSetBack(clock: Clock, setBack: (byMs: number) => void): () => void {
  const ahead = () => clock.now() - clock.monotonic();
  let before = ahead();
  let cancel: () => void;
  const look = (): void => {
    const now = ahead();
    if (before - now > TOLERATED_MS) setBack(before - now);
    before = now;
    cancel = clock.after(LOOK_MS, look);
  };
  cancel = clock.after(LOOK_MS, look);
  return () => cancel();
}

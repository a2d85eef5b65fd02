// Notices when the system clock is set back, and corrects the stored times.

import { healthSetBack, plausibleHealth, plausibleQuota } from "../core/clock-set-back.ts";
import type { Clock, Deps } from "../deps.ts";
import type { EventLog } from "../state/events.ts";
import type { AccountRecord, Store } from "../state/store.ts";
import type { Child } from "../upstream/child.ts";
import type { Pool } from "../upstream/pool.ts";

export interface ClockWatchContext {
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly store: Store;
  readonly pool: Pick<Pool, "touch">;
  readonly children: () => readonly Child[];
  readonly events: EventLog;
}

/** How often the clock is compared with the time that has actually passed. */
const LOOK_MS = 1_000;
/** Smaller corrections of a clock are normal. */
const TOLERATED_MS = 1_000;

/** Starts watching; the returned function stops it. */
export function watchClock({ deps, store, pool, children, events }: ClockWatchContext): () => void {
  return onSetBack(deps.clock, (byMs) => {
    const nowMs = deps.clock.now();
    for (const record of store.state.accounts) {
      record.health = healthSetBack(record.health, byMs);
      makePlausible(record, nowMs);
      pool.touch(record.id);
    }
    for (const { state } of children()) {
      state.health = plausibleHealth(healthSetBack(state.health, byMs), nowMs);
      pool.touch(state.id);
    }
    store.touch();
    events.append("clock.set_back", { by_ms: byMs });
    deps.log.warn(
      `the system clock was set back by ${Math.round(byMs / 1000)} s; cooldowns are not extended`,
    );
  });
}

/** Corrects the times in a record that were stored before the clock was set back. */
export function makePlausible(record: AccountRecord, nowMs: number): void {
  record.health = plausibleHealth(record.health, nowMs);
  record.quota = plausibleQuota(record.quota, nowMs);
  record.quotaSyncMs = Math.min(record.quotaSyncMs, nowMs);
  record.lastUsedMs = Math.min(record.lastUsedMs, nowMs);
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

// Writes turns to a usage database, as a proxy that ran earlier would have.

import type { TurnRecord } from "../../src/core/turn-record.ts";
import { createUsageStore } from "../../src/state/usage/usage-store.ts";
import { fakeClock } from "./clock.ts";
import { turnRecord } from "./turn-record.ts";

/** A turn. What it leaves out is that of an ordinary turn. */
export type PastTurn = Partial<TurnRecord> & Pick<TurnRecord, "startedMs">;

/** Writes `turns` to the file at `path`. */
export function recordTurns(path: string, turns: readonly PastTurn[]): void {
  const store = createUsageStore({
    path,
    deps: { clock: fakeClock(Date.now()), log: { info: () => {}, warn: () => {} } },
    events: { append: () => {} },
    owner: { isOurs: () => true },
    settings: () => ({ enabled: true, keepDays: 3_650 }),
    identityOf: (id) => id,
  });
  for (const [index, turn] of turns.entries()) {
    store.add(turnRecord(turn));
    if (index % AT_ONCE === AT_ONCE - 1) store.flush();
  }
  store.stop();
}

// --- internal ---

const AT_ONCE = 10_000;

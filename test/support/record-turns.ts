// Writes turns to a usage database, as a proxy that ran earlier would have.

import type { TurnRecord } from "../../src/core/turn-record.ts";
import { createUsageStore } from "../../src/state/usage/usage-store.ts";
import { fakeClock } from "./clock.ts";

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
    store.add({ ...ORDINARY, ...turn });
    if (index % AT_ONCE === AT_ONCE - 1) store.flush();
  }
  store.stop();
}

// --- internal ---

const AT_ONCE = 10_000;

const ORDINARY: TurnRecord = {
  startedMs: 0,
  kind: "turn",
  transport: "sse",
  outcome: "completed",
  code: undefined,
  accountId: "openai:alice",
  accountAlias: "alice",
  proxy: "p",
  choice: "affinity",
  session: "s1",
  requestedModel: "gpt-5",
  servedModel: undefined,
  tokens: { input: 1_000, cachedInput: 800, output: 50, reasoning: 10 },
  firstOutputMs: 200,
  durationMs: 1_000,
  attempts: 1,
  switches: [],
  client: undefined,
  run: undefined,
  project: "/home/u/project",
};

// Helpers for tests of turns that wait for a reset.

import { LOOK_MS, PLACING_MS } from "../../src/proxy/wait-queue.ts";
import type { SkippingClock } from "./clock.ts";
import { type TestPool, until } from "./pool.ts";

/** After this time every waiting turn has been checked again. */
export const NEXT_LOOK_MS = LOOK_MS + PLACING_MS;

interface Waiting {
  readonly turns: number;
  readonly until_ms: number;
  readonly account?: string;
  readonly window?: string;
}

/** The turns that wait now; undefined if there are none. */
export async function waitingOf({ url, adminToken }: TestPool): Promise<Waiting | undefined> {
  const headers = { authorization: `Bearer ${adminToken}` };
  return ((await (await fetch(`${url}/status`, { headers })).json()) as { waiting?: Waiting }).waiting;
}

/** Resolves when `turns` turns wait. */
export const turnsWait = (pool: TestPool, turns: number) =>
  until(`${turns} turns wait`, async () => ((await waitingOf(pool))?.turns ?? 0) === turns);

/** The text of the turn, or its error. */
export const outcomeOf = (turn: Promise<string>): Promise<string> => turn.catch(String);

/** Advances the clock, so that waiting turns are checked, until `turn` ends. */
export async function continued<Result>(
  pool: TestPool,
  clock: SkippingClock,
  turn: Promise<Result>,
): Promise<Result> {
  let isOver = false;
  const over = turn.finally(() => {
    isOver = true;
  });
  await until("the turn continues", async () => {
    // Not while a turn is being sent, because that would use up its time limits.
    if ((await waitingOf(pool)) !== undefined && pool.daemon.inFlight() === 0) clock.skip(NEXT_LOOK_MS);
    return isOver;
  });
  return over;
}

import { expect, test } from "bun:test";
import { createMovedTurns, type TurnProgress } from "../../src/proxy/turn/moved-turns.ts";

const PROGRESS: TurnProgress = {
  startedMs: 1,
  startedAt: 1,
  attempts: 1,
  switches: [],
  last: { id: "a", label: "alice" },
  reason: "usage-limit",
};
const named = (session: string | undefined, turnId?: string) => ({
  session,
  metadata: turnId === undefined ? undefined : JSON.stringify({ turn_id: turnId }),
});

function movedTurns() {
  let now = 0;
  const turns = createMovedTurns({ monotonic: () => now });
  return { ...turns, wait: (ms: number) => (now += ms) };
}

test("a moved turn continues once", () => {
  const { keep, take } = movedTurns();
  keep(named("s", "t"), PROGRESS);
  expect(take(named("s", "t"))).toEqual(PROGRESS);
  expect(take(named("s", "t"))).toBeUndefined();
});

test("another turn of the session, and one of another session, begin on their own", () => {
  const { keep, take } = movedTurns();
  keep(named("s", "t"), PROGRESS);
  expect(take(named("s", "other"))).toBeUndefined();
  expect(take(named("other", "t"))).toBeUndefined();
  keep(named(undefined), PROGRESS);
  expect(take(named(undefined))).toBeUndefined();
});

test("a client that comes back after half a minute sends another turn", () => {
  const { keep, take, wait } = movedTurns();
  keep(named("s"), PROGRESS);
  wait(30_001);
  expect(take(named("s"))).toBeUndefined();
});

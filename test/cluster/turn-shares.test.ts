// The concurrency limit over simulated replicas: how many turns they serve together, whatever the delays, and while
// they are cut off from each other.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SEEN_MS } from "../../src/cluster/counters.ts";
import { createTurnShares, type TurnShares } from "../../src/cluster/turn-shares.ts";
import { reachedBound } from "../../src/core/turn-limit.ts";
import { fakeClock } from "../support/clock.ts";
import { signalNetwork } from "../support/signal-network.ts";

const ACCOUNT = "openai:alice";

interface Side {
  readonly name: string;
  readonly shares: TurnShares;
  turns: number;
}

function rig(count: number, delayMs: () => number = () => 1) {
  const clock = fakeClock();
  const network = signalNetwork(clock, delayMs);
  const sides = Array.from({ length: count }, (_, index): Side => {
    const name = `r${index}`;
    const shares = createTurnShares({
      clock,
      signals: network.join(name),
      replica: name,
      replicas: () => count,
      isCutOff: () => network.isCut(name),
    });
    return { name, shares, turns: 0 };
  });
  return { clock, network, sides };
}

/** Begins a turn. Returns false if the account is full. */
function begin(side: Side, limit: number): boolean {
  const { turns, shares } = side;
  if (reachedBound(limit, { turns, ...shares.elsewhere(ACCOUNT) }) !== undefined) return false;
  side.turns++;
  shares.counted(ACCOUNT, side.turns);
  return true;
}

function end(side: Side): void {
  if (side.turns === 0) return;
  side.turns--;
  side.shares.counted(ACCOUNT, side.turns);
}

const inFlight = (sides: readonly Side[]) => sides.reduce((sum, { turns }) => sum + turns, 0);

describe("the replicas of a pool", () => {
  test("exceed the limit by at most one turn for each replica but the first, whatever the order and the delays", () => {
    const step = fc.record({
      replica: fc.nat({ max: 3 }),
      what: fc.constantFrom("begin", "begin", "end"),
      afterMs: fc.oneof(fc.nat({ max: 50 }), fc.nat({ max: 3_000 })),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.nat({ max: 499 }), { minLength: 1, maxLength: 20 }),
        fc.array(step, { minLength: 20, maxLength: 200 }),
        (limit, count, delays, steps) => {
          let messages = 0;
          const { clock, sides } = rig(count, () => delays[messages++ % delays.length] ?? 0);
          for (const { replica, what, afterMs } of steps) {
            clock.advance(afterMs);
            const side = sides[replica % count]!;
            if (what === "begin") begin(side, limit);
            else end(side);
            expect(inFlight(sides)).toBeLessThanOrEqual(limit + count - 1);
          }
        },
      ),
    );
  });

  test("use the whole limit, on whichever replica the turns arrive", () => {
    const { clock, sides } = rig(3);
    const [a, b, c] = sides as [Side, Side, Side];
    for (const side of [a, a, b, c, a, a]) {
      expect(begin(side, 6)).toBeTrue();
      clock.advance(SEEN_MS + 10);
    }
    for (const side of sides) expect(begin(side, 6)).toBeFalse();
    end(a);
    clock.advance(10);
    expect(begin(b, 6)).toBeTrue();
  });

  test("let a turn wait for a second if the others may have begun one as well", () => {
    const { clock, sides } = rig(3);
    const [a] = sides as [Side];
    expect([begin(a, 2), begin(a, 2)]).toEqual([true, false]);
    clock.advance(SEEN_MS + 10);
    expect(begin(a, 2)).toBeTrue();
  });

  // The others may know that turns of this replica have ended, and begin some before they know that it began others.
  test("do not count on slots that a replica has given back long after its last turn began", () => {
    const { clock, sides } = rig(3, () => 50);
    const [a] = sides as [Side];
    for (let turns = 0; turns < 6; turns++) {
      expect(begin(a, 6)).toBeTrue();
      clock.advance(SEEN_MS + 100);
    }
    while (a.turns > 0) end(a);
    clock.advance(150);
    for (const side of sides) while (begin(side, 6));
    expect(inFlight(sides)).toBeLessThanOrEqual(6 + 2);
  });

  test("do not count on slots that a replica has given back, even before the others are sure to know its last turn", () => {
    const { clock, sides } = rig(3, () => 50);
    const [a, b] = sides as [Side, Side];
    for (let turns = 0; turns < 6; turns++) {
      clock.advance(SEEN_MS + 100);
      expect(begin(a, 6)).toBeTrue();
    }
    clock.advance(SEEN_MS - 100);
    while (a.turns > 0) end(a);
    // Messages about other turns arrive all the time.
    for (let step = 0; step < 200; step++) {
      if (step >= 190) begin(a, 6);
      begin(b, 6);
      end(b);
      clock.advance(1);
    }
    for (const side of sides) while (begin(side, 6));
    expect(inFlight(sides)).toBeLessThanOrEqual(6 + 2);
  });

  test("divide the limit while they do not hear from each other, and each has at least one turn", () => {
    for (const [limit, share] of [
      [7, 2],
      [2, 1],
    ] as const) {
      const { network, sides } = rig(3);
      for (const { name } of sides) network.cut(name);
      for (const side of sides) while (begin(side, limit));
      expect(sides.map(({ turns }) => turns)).toEqual([share, share, share]);
    }
  });

  test("count the turns of a killed replica for 45 seconds", () => {
    const { clock, network, sides } = rig(2);
    const [a, b] = sides as [Side, Side];
    begin(a, 1);
    clock.advance(10);
    network.leave(a.name);
    expect(begin(b, 1)).toBeFalse();
    clock.advance(44_000);
    expect(begin(b, 1)).toBeFalse();
    clock.advance(1_000);
    expect(begin(b, 1)).toBeTrue();
  });
});

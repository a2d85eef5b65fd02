// The limits of keys over simulated replicas: what they use together, whatever the delays, and without each other.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createKeyLimiter, type KeptUse, type KeyLimiter } from "../../src/auth/key-limiter.ts";
import { LATER_MS, SEEN_MS } from "../../src/cluster/counters.ts";
import { createKeyShares, type OpenKeyShares } from "../../src/cluster/key-shares.ts";
import type { KeyLimits } from "../../src/core/key-limits.ts";
import { type FakeClock, fakeClock } from "../support/clock.ts";
import { type SignalNetwork, signalNetwork } from "../support/signal-network.ts";

interface Side {
  readonly name: string;
  readonly limiter: KeyLimiter;
  readonly shares: OpenKeyShares;
}

/** A replica with a key, whose limits it shares over `network`. `kept`: what the key has used there before. */
function replica(
  network: SignalNetwork,
  clock: FakeClock,
  name: string,
  limits: KeyLimits,
  { replicas = 1, kept }: { readonly replicas?: number; readonly kept?: KeptUse | undefined } = {},
): Side {
  const shares = createKeyShares({
    clock,
    signals: network.join(name),
    replica: name,
    replicas: () => replicas,
    isCutOff: () => network.isCut(name),
  });
  const limiter = createKeyLimiter({
    clock,
    limits,
    kept,
    counted: () => {},
    shareOf: (own) => shares.open("key", own),
  });
  return { name, limiter, shares };
}

function rig(limits: KeyLimits, count: number, delayMs: () => number = () => 1) {
  const clock = fakeClock();
  const network = signalNetwork(clock, delayMs);
  const sides = Array.from({ length: count }, (_, index) =>
    replica(network, clock, `r${index}`, limits, { replicas: count }),
  );
  return { clock, network, sides };
}

/** Begins a turn. Returns false if it is refused. */
function begin({ limiter }: Side): boolean {
  if (limiter.begin("m", true) !== undefined) return false;
  limiter.turnBegan();
  return true;
}

const TURN = 100;

/** What happens, on which replica, and after which pause. */
const steps = (count: number) =>
  fc.array(
    fc.record({
      replica: fc.integer({ min: 0, max: count - 1 }),
      what: fc.constantFrom("begin", "begin", "end"),
      afterMs: fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 3_000 })),
    }),
    { minLength: 20, maxLength: 200 },
  );

/** Runs `taken` steps, and returns the tokens that all turns have used in the end, and how many began. */
function run(
  { clock, sides }: Pick<ReturnType<typeof rig>, "clock" | "sides">,
  taken: readonly { replica: number; what: string; afterMs: number }[],
) {
  const inFlight = sides.map(() => 0);
  let begun = 0;
  for (const { replica: index, what, afterMs } of taken) {
    clock.advance(afterMs);
    const side = sides[index]!;
    if (what === "begin" && begin(side)) {
      inFlight[index]!++;
      begun++;
    } else if (what === "end" && inFlight[index]! > 0) {
      inFlight[index]!--;
      side.limiter.turnEnded(TURN);
    }
  }
  for (const [index, side] of sides.entries())
    for (let turn = 0; turn < inFlight[index]!; turn++) side.limiter.turnEnded(TURN);
  return { tokens: begun * TURN, begun };
}

describe("tokens per day", () => {
  test("are exceeded by at most one turn in flight per replica, whatever the order and the delays", async () => {
    await fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 40 }),
        steps(4),
        fc.infiniteStream(fc.integer({ min: 0, max: SEEN_MS / 2 })),
        (count, turns, taken, delays) => {
          const tokensPerDay = turns * TURN;
          const here = rig({ tokensPerDay }, count, () => delays.next().value);
          const { tokens } = run(
            here,
            taken.map((step) => ({ ...step, replica: step.replica % count })),
          );
          expect(tokens).toBeLessThanOrEqual(tokensPerDay + count * TURN);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("are all used, by turns that follow each other", () => {
    const { clock, sides } = rig({ tokensPerDay: 20 * TURN }, 3);
    let begun = 0;
    for (let step = 0; step < 100; step++) {
      const side = sides[step % 3]!;
      if (begin(side)) {
        begun++;
        side.limiter.turnEnded(TURN);
      }
      clock.advance(1_000);
    }
    expect(begun).toBe(20);
    for (const { limiter } of sides) {
      expect(limiter.use()?.tokensToday).toBe(20 * TURN);
      expect(limiter.begin("m", true)).toMatchObject({ kind: "tokens_per_day" });
    }
  });

  test("are divided among replicas that are cut off, with one turn more at most on each", async () => {
    await fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), steps(3), steps(3), (turns, before, after) => {
        const tokensPerDay = turns * TURN;
        const here = rig({ tokensPerDay }, 3);
        run(here, before);
        here.clock.advance(60_000);
        const used = here.sides[0]!.limiter.use()?.tokensToday ?? 0;
        for (const { name } of here.sides) here.network.cut(name);
        const own = here.sides.map((side, index) => {
          const mine = after
            .filter((step) => step.replica === index)
            .map((step) => ({ ...step, replica: 0 }));
          return run({ clock: here.clock, sides: [side] }, mine).tokens;
        });
        const share = Math.max(0, tokensPerDay - used) / 3;
        for (const tokens of own) expect(tokens).toBeLessThan(share + TURN);
      }),
      { numRuns: 200 },
    );
  });

  test("that a replica has used are shown again after its restart, also to an engine that has lost everything", () => {
    const { clock, network, sides } = rig({ tokensPerDay: 100 * TURN }, 2);
    const [a, b] = sides as [Side, Side];
    for (let turn = 0; turn < 5; turn++) {
      begin(a);
      a.limiter.turnEnded(TURN);
      clock.advance(1_000);
    }
    clock.advance(20_000);
    const kept = a.limiter.kept();
    network.empty();
    const c = replica(network, clock, "r2", { tokensPerDay: 100 * TURN });
    expect(c.limiter.use()?.tokensToday).toBe(0);
    network.leave("r0");
    const again = replica(network, clock, "r0", { tokensPerDay: 100 * TURN }, { kept });
    clock.advance(1_000);
    for (const side of [again, b, c]) expect(side.limiter.use()?.tokensToday).toBe(5 * TURN);
  });

  test("that are far from the limit are shown after a few seconds, or when the replica shuts down", () => {
    const { clock, sides } = rig({ tokensPerDay: 1_000_000 * TURN }, 2);
    const [a, b] = sides as [Side, Side];
    const shown = () => b.limiter.use()?.tokensToday;
    const use = () => {
      begin(a);
      a.limiter.turnEnded(TURN);
      clock.advance(1_000);
    };
    use();
    expect(shown()).toBe(0);
    clock.advance(LATER_MS);
    expect(shown()).toBe(TURN);
    use();
    a.shares.flush();
    clock.advance(1_000);
    expect(shown()).toBe(2 * TURN);
  });

  test("refuse nothing for good while others may use the rest, and say how long to wait", () => {
    const { clock, sides } = rig({ tokensPerDay: 3 * TURN }, 2);
    const [a] = sides as [Side];
    begin(a);
    expect(a.limiter.begin("m", true)).toEqual({
      kind: "tokens_unsure",
      tokensPerDay: 3 * TURN,
      waitSeconds: 10,
    });
    a.limiter.turnEnded(TURN);
    clock.advance(10_000);
    expect(a.limiter.begin("m", true)).toBeUndefined();
  });

  test("say that others may have begun the rest of the turns per minute", () => {
    const { sides } = rig({ turnsPerMinute: 3 }, 2);
    const [a] = sides as [Side];
    const problems = Array.from({ length: 3 }, () => a.limiter.begin("m", true)).filter((one) => one);
    expect(problems[0]).toEqual({ kind: "rpm_unsure", turnsPerMinute: 3, waitSeconds: 1 });
  });

  test("of turns in flight on a silent replica are free again, unless this replica is cut off itself", () => {
    const { clock, network, sides } = rig({ tokensPerDay: 4 * TURN }, 2);
    const [a, b] = sides as [Side, Side];
    begin(b);
    b.limiter.turnEnded(TURN);
    clock.advance(20_000);
    for (let turn = 0; turn < 2; turn++) begin(b);
    clock.advance(20_000);
    begin(a);
    // One is used, and three are in flight.
    expect(begin(a)).toBe(false);
    network.leave("r1");
    clock.advance(30_000);
    expect(begin(a)).toBe(false);
    clock.advance(30_000);
    expect(begin(a)).toBe(true);
  });
});

describe("turns per minute", () => {
  test("are exceeded by at most one turn for each further replica, whatever the order and the delays", async () => {
    await fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 30 }),
        steps(4),
        fc.infiniteStream(fc.integer({ min: 0, max: SEEN_MS / 2 })),
        (count, turnsPerMinute, taken, delays) => {
          const { clock, sides } = rig({ turnsPerMinute }, count, () => delays.next().value);
          const begun: number[] = [];
          for (const { replica: index, afterMs } of taken) {
            clock.advance(afterMs);
            if (begin(sides[index % count]!)) begun.push(clock.monotonic());
            const inMinute = begun.filter((at) => at > clock.monotonic() - 60_000).length;
            expect(inMinute).toBeLessThanOrEqual(turnsPerMinute + count - 1);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test("are free again for a client that waits as long as the refusal says", () => {
    const { clock, sides } = rig({ turnsPerMinute: 3 }, 2);
    const [a, b] = sides as [Side, Side];
    for (let turn = 0; turn < 3; turn++) {
      expect(begin(a)).toBe(true);
      clock.advance(2_000);
    }
    const problem = b.limiter.begin("m", true);
    if (problem?.kind !== "rpm") throw new Error("it was let in");
    expect(problem.waitSeconds).toBeGreaterThan(50);
    clock.advance(problem.waitSeconds * 1_000);
    expect(begin(b)).toBe(true);
  });

  test("are divided among replicas that are cut off", () => {
    const { clock, network, sides } = rig({ turnsPerMinute: 9 }, 3);
    for (const { name } of sides) network.cut(name);
    for (let minute = 0; minute < 3; minute++) {
      clock.advance(61_000);
      for (const side of sides) {
        let begun = 0;
        for (let turn = 0; turn < 9; turn++) if (begin(side)) begun++;
        expect(begun).toBe(3);
      }
    }
  });
});

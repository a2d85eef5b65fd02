// The monthly cap of an API key over simulated replicas.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { SEEN_MS } from "../../src/cluster/counters.ts";
import { createSpendShares } from "../../src/cluster/spend-shares.ts";
import { newBilling, reservedUsd, spentUsd } from "../../src/core/api-billing.ts";
import { capacityOfApi } from "../../src/core/api-capacity.ts";
import { newAccount } from "../../src/state/account-record.ts";
import { createApiAccount } from "../../src/upstream/api-account.ts";
import type { TurnMeter } from "../../src/upstream/upstream.ts";
import { type FakeClock, fakeClock } from "../support/clock.ts";
import { type SignalNetwork, signalNetwork } from "../support/signal-network.ts";

/** USD per million tokens, so a turn without a body is estimated at 1,000, which is what it costs here. */
const PRICES = { m: { input: 1e6, cachedInput: 1e6, output: 1e6 } };
const TURN = 1_000;
const USED = { input: 0, cachedInput: 0, output: TURN, reasoning: 0 };

function replica(network: SignalNetwork, clock: FakeClock, name: string, replicas: number, mark = "mark") {
  const spending = createSpendShares({
    clock,
    signals: network.join(name),
    replica: name,
    replicas: () => replicas,
    isCutOff: () => network.isCut(name),
  });
  const record = newAccount("openai", "/none", {
    billing: newBilling("https://api.example.com/v1"),
    loginMark: mark,
  });
  const account = createApiAccount(record, {
    spending,
    clock,
    store: { touch: () => {} },
    outbound: { toBackend: () => ({ proxy: undefined }) as never },
    prices: () => PRICES,
  });
  const billing = () => record.billing ?? newBilling("");
  return {
    name,
    begin: (cap: number): TurnMeter | undefined =>
      capacityOfApi(billing(), cap, clock.now()).condition === "last_resort"
        ? account.meter({ model: "m", bytes: 0 })
        : undefined,
    spent: () => spentUsd(billing(), clock.now()),
    reserved: () => reservedUsd(billing()),
  };
}

function end(meter: TurnMeter): void {
  meter.used(USED, "m");
  meter.end();
}

function rig(count: number, delayMs: () => number = () => 1) {
  const clock = fakeClock();
  const network = signalNetwork(clock, delayMs);
  return {
    clock,
    network,
    sides: Array.from({ length: count }, (_, index) => replica(network, clock, `r${index}`, count)),
  };
}

const steps = fc.array(
  fc.record({
    replica: fc.nat(3),
    what: fc.constantFrom("begin", "begin", "end"),
    afterMs: fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 3_000 })),
  }),
  { minLength: 20, maxLength: 150 },
);

test("a cap is exceeded by at most one turn in flight per replica, whatever the order and the delays", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 30 }),
      steps,
      fc.infiniteStream(fc.integer({ min: 0, max: SEEN_MS / 2 })),
      (count, turns, taken, delays) => {
        const { clock, sides } = rig(count, () => delays.next().value);
        const inFlight = sides.map((): TurnMeter[] => []);
        let begun = 0;
        for (const { replica: index, what, afterMs } of taken) {
          clock.advance(afterMs);
          const side = sides[index % count]!;
          const turnsHere = inFlight[index % count]!;
          const meter = what === "begin" ? side.begin(turns * TURN) : undefined;
          if (meter !== undefined) {
            turnsHere.push(meter);
            begun++;
          } else if (what === "end" && turnsHere.length > 0) end(turnsHere.pop()!);
        }
        expect(begun).toBeLessThanOrEqual(turns + count);
      },
    ),
    { numRuns: 300 },
  );
});

test("every replica shows what all have spent and reserved, and the month begins again for all", () => {
  const { clock, sides } = rig(3);
  const [a, b, c] = sides as [(typeof sides)[0], (typeof sides)[0], (typeof sides)[0]];
  end(a.begin(10 * TURN)!);
  const meter = b.begin(10 * TURN)!;
  clock.advance(2_000);
  for (const side of sides) expect([side.spent(), side.reserved()]).toEqual([TURN, TURN]);
  meter.end();
  clock.advance(2_000);
  end(c.begin(2 * TURN)!);
  clock.advance(2_000);
  for (const side of sides) expect(side.begin(2 * TURN)).toBeUndefined();
  clock.advance(40 * 24 * 3_600_000);
  for (const side of sides) expect(side.spent()).toBe(0);
});

test("the reservation of a replica that is gone ends, what it has spent stays, and another key has spent nothing", () => {
  const { clock, network, sides } = rig(2);
  const [a, b] = sides as [(typeof sides)[0], (typeof sides)[0]];
  end(a.begin(10 * TURN)!);
  a.begin(10 * TURN);
  clock.advance(1_000);
  network.leave("r0");
  expect([b.spent(), b.reserved()]).toEqual([TURN, TURN]);
  clock.advance(120_000);
  expect([b.spent(), b.reserved()]).toEqual([TURN, 0]);
  const same = replica(network, clock, "r2", 3);
  const other = replica(network, clock, "r3", 4, "another mark");
  clock.advance(1_000);
  expect([same.spent(), other.spent()]).toEqual([TURN, 0]);
});

test("replicas that are cut off divide what is left", () => {
  const { clock, network, sides } = rig(3);
  end(sides[0]!.begin(31 * TURN)!);
  clock.advance(5_000);
  for (const { name } of sides) network.cut(name);
  for (const side of sides) {
    let begun = 0;
    for (let turn = 0; turn < 40; turn++) {
      const meter = side.begin(31 * TURN);
      clock.advance(1_000);
      if (meter === undefined) continue;
      end(meter);
      begun++;
    }
    expect(begun).toBe(10);
  }
});

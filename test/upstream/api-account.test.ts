// An account with an API key as an upstream: the reservations and the costs of its turns.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { OWN_SPENDING } from "../../src/cluster/shared-spending.ts";
import { newBilling, spentUsd } from "../../src/core/api-billing.ts";
import { capacityOfApi } from "../../src/core/api-capacity.ts";
import { newAccount } from "../../src/state/account-record.ts";
import { createApiAccount } from "../../src/upstream/api-account.ts";
import type { TurnMeter } from "../../src/upstream/upstream.ts";
import { fakeClock } from "../support/clock.ts";

/** USD per million tokens, so a token of input costs 1 and one of output 10. */
const PRICES = { m: { input: 1e6, cachedInput: 1e5, output: 1e7 } };

function setup() {
  const clock = fakeClock();
  const record = newAccount("openai", "/none", { billing: newBilling("https://api.example.com/v1") });
  const account = createApiAccount(record, {
    spending: OWN_SPENDING,
    clock,
    store: { touch: () => {} },
    outbound: { toBackend: () => ({ proxy: undefined }) as never },
    prices: () => PRICES,
  });
  const billing = () => record.billing ?? newBilling("");
  return {
    account,
    meter: (bytes: number): TurnMeter => account.meter({ model: "m", bytes }) as TurnMeter,
    spent: () => spentUsd(billing(), clock.now()),
    reserved: () => billing().reservedUsd,
    mayPlace: (cap: number) => capacityOfApi(billing(), cap, clock.now()).condition === "last_resort",
  };
}

const TOKENS = { input: 100, cachedInput: 40, output: 5, reasoning: 0 };
const COST = 60 + 4 + 50;

test("a turn costs its estimate from the first output on, and its tokens once they are known", () => {
  const s = setup();
  const meter = s.meter(200);
  expect([s.spent(), s.reserved()]).toEqual([0, 100 + 10_000]);
  meter.served();
  expect([s.spent(), s.reserved()]).toEqual([10_100, 0]);
  meter.used(TOKENS, "m");
  meter.served();
  meter.end();
  expect([s.spent(), s.reserved()]).toEqual([COST, 0]);
});

test("a turn that was cut off costs its estimate, and one that failed costs nothing", () => {
  const s = setup();
  const cut = s.meter(200);
  cut.served();
  cut.end();
  const failed = s.meter(200);
  failed.end();
  expect([s.spent(), s.reserved()]).toEqual([10_100, 0]);
});

test("a turn is counted for the model that served it, or the most expensive one if the model is unknown", () => {
  const s = setup();
  s.meter(0).used(TOKENS, "gpt-5-unheard-of");
  expect(s.spent()).toBe(COST);
  const unknown = s.account.meter({ model: undefined, bytes: 0 });
  unknown?.used(TOKENS, undefined);
  expect(s.spent()).toBe(2 * COST);
  expect([s.account.refuses("m"), s.account.refuses("gpt-5-unheard-of")]).toEqual([false, true]);
});

test("parallel turns exceed the cap by at most the cost of those in flight when it was reached", () => {
  const step = fc.record({
    kind: fc.constantFrom("begin", "begin", "served", "used", "end"),
    which: fc.nat(30),
    bytes: fc.integer({ min: 0, max: 10_000 }),
    output: fc.integer({ min: 0, max: 5_000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 100_000 }), (steps, cap) => {
      const s = setup();
      const inFlight: { meter: TurnMeter; most: number }[] = [];
      /** The most that all turns in flight at the last placement may cost. */
      let bound = 0;
      for (const { kind, which, bytes, output } of steps) {
        const turn = inFlight[which % Math.max(1, inFlight.length)];
        if (kind === "begin") {
          if (!s.mayPlace(cap)) continue;
          const most = Math.max(bytes / 2 + 1 + 10_000, 10 * 5_000 + 100);
          inFlight.push({ meter: s.meter(bytes), most });
          bound = inFlight.reduce((sum, one) => sum + one.most, 0);
        } else if (turn !== undefined) {
          if (kind === "served") turn.meter.served();
          if (kind === "used") turn.meter.used({ ...TOKENS, input: 100, cachedInput: 0, output }, "m");
          if (kind === "end") {
            turn.meter.end();
            inFlight.splice(inFlight.indexOf(turn), 1);
          }
        }
        expect(s.spent()).toBeLessThan(cap + bound);
      }
      for (const { meter } of inFlight) meter.end();
      expect(s.reserved()).toBe(0);
    }),
  );
});

import { describe, expect, test } from "bun:test";
import { createOffering } from "../../src/upstream/offering.ts";
import { fakeClock } from "../support/clock.ts";

/** `offers`: whether the catalogue of each upstream lists every model. */
function setup(offers: Record<string, boolean | undefined>) {
  const clock = fakeClock();
  const asked = createOffering({ clock, offers: (id) => offers[id], refuses: () => false });
  const upstreams = Object.keys(offers).map((id) => ({ id }));
  return { clock, offers, of: (model: string) => asked(model, upstreams) };
}

describe("the upstreams that may have a model", () => {
  test("are those that list it, and those whose catalogue is unknown", () => {
    const s = setup({ a: true, b: false, c: undefined });
    expect(s.of("m")).toEqual(new Set(["a", "c"]));
  });

  test("are all, unless one catalogue has the model and another does not", () => {
    expect(setup({ a: true, b: undefined }).of("m")).toBeUndefined();
    expect(setup({ a: false, b: undefined }).of("m")).toBeUndefined();
  });

  test("are computed for each request in a small pool, and every few milliseconds in a large one", () => {
    const small = setup({ a: true, b: false });
    expect(small.of("m")).toEqual(new Set(["a"]));
    small.offers.b = true;
    expect(small.of("m")).toBeUndefined();
    const large = setup(Object.fromEntries(Array.from({ length: 200 }, (_, index) => [index, index > 0])));
    expect(large.of("m")?.size).toBe(199);
    large.offers[0] = true;
    large.clock.advance(1);
    expect(large.of("m")?.size).toBe(199);
    large.clock.advance(1);
    expect(large.of("m")).toBeUndefined();
  });
});

import { expect, test } from "bun:test";
import { createDetours } from "../../src/upstream/detours.ts";
import { fakeClock } from "../support/clock.ts";

test("a session avoids the upstream whose response broke off, until a turn is served or a minute has passed", () => {
  const clock = fakeClock();
  const detours = createDetours(clock);
  detours.begin(undefined, "x");
  detours.begin("a", "x");
  detours.begin("b", "y");
  expect(["a", "b", "c", undefined].map((session) => detours.of(session))).toEqual([
    "x",
    "y",
    undefined,
    undefined,
  ]);
  detours.end("a");
  expect(detours.of("a")).toBeUndefined();
  clock.advance(60_000);
  expect(detours.of("b")).toBeUndefined();
});

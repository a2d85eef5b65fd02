import { expect, test } from "bun:test";
import { createBriefMemory } from "../../src/upstream/brief-memory.ts";
import { fakeClock } from "../support/clock.ts";

test("an upstream is remembered for a session until its next turn is served or a minute has passed", () => {
  const clock = fakeClock();
  const memory = createBriefMemory(clock);
  memory.begin(undefined, "x");
  memory.begin("a", "x");
  memory.begin("b", "y");
  expect(["a", "b", "c", undefined].map((session) => memory.of(session))).toEqual([
    "x",
    "y",
    undefined,
    undefined,
  ]);
  memory.end("a");
  expect(memory.of("a")).toBeUndefined();
  clock.advance(60_000);
  expect(memory.of("b")).toBeUndefined();
});

import { expect, test } from "bun:test";
import { createRefusedLimits } from "../../src/upstream/refused-limits.ts";
import { fakeClock } from "../support/clock.ts";

test("a limit that refused a model counts for it until the last of its resets", () => {
  const clock = fakeClock(1_000);
  const limits = createRefusedLimits(clock);
  limits.note("m", "premium", 5_000);
  limits.note("m", "premium", 3_000);
  expect([limits.of("m"), limits.of("other")]).toEqual(["premium", undefined]);
  clock.advance(3_000);
  expect(limits.of("m")).toBe("premium");
  limits.note("m", "codex", 4_500);
  expect(limits.of("m")).toBe("codex");
  clock.advance(1_000);
  expect(limits.of("m")).toBeUndefined();
});

test("models beyond the limit replace earlier ones", () => {
  const limits = createRefusedLimits(fakeClock(0));
  for (let model = 0; model < 1_000; model++) limits.note(`m${model}`, "x", 1);
  expect(limits.of("m999")).toBe("x");
  expect(limits.of("m0")).toBeUndefined();
});

import { expect, test } from "bun:test";
import { createAffinity } from "../../src/upstream/affinity.ts";

test("sessions are remembered up to a bound, the one used longest ago goes first", () => {
  const affinity = createAffinity(2);
  affinity.bind("a", "x");
  affinity.bind("b", "y");
  expect(affinity.get("a")).toBe("x"); // used: now b is the oldest
  affinity.bind("c", "z");
  expect(affinity.get("b")).toBeUndefined();
  expect(affinity.get("a")).toBe("x");
});

test("the sessions of an upstream that is gone are forgotten", () => {
  const affinity = createAffinity();
  affinity.bind("a", "x");
  affinity.bind("b", "y");
  affinity.drop("x");
  expect(affinity.get("a")).toBeUndefined();
  expect(affinity.get("b")).toBe("y");
});

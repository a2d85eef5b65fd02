import { describe, expect, test } from "bun:test";
import { systemDeps } from "../src/deps.ts";

describe("a timer of at least a second", () => {
  test("does not fire early", async () => {
    const { clock } = systemDeps();
    const startedMs = performance.now();
    await new Promise<void>((resolve) => clock.after(1_000, resolve));
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(1_000);
  });

  test("fires together with others, and not after it was cancelled, even by one of them", async () => {
    const { clock } = systemDeps();
    const ended: string[] = [];
    const done = Promise.withResolvers<void>();
    clock.after(1_000, () => {
      ended.push("first");
      cancelSecond();
    });
    const cancelSecond = clock.after(1_000, () => void ended.push("second"));
    clock.after(1_000, () => void ended.push("third"))();
    clock.after(1_200, done.resolve);
    await done.promise;
    expect(ended).toEqual(["first"]);
  });
});

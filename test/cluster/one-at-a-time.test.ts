import { expect, test } from "bun:test";
import { oneAtATime } from "../../src/cluster/one-at-a-time.ts";
import { outcome } from "../support/outcome.ts";

test("calls during the work share one further run, also after a failure", async () => {
  const runs: PromiseWithResolvers<void>[] = [];
  const run = oneAtATime(() => {
    const one = Promise.withResolvers<void>();
    runs.push(one);
    return one.promise;
  });
  const first = run();
  const [second, third] = [run(), run()];
  expect(runs.length).toBe(1);
  expect(third).toBe(second);
  runs[0]?.reject(new Error("failed"));
  expect(await outcome(first)).toThrow("failed");
  while (runs.length < 2) await new Promise((resolve) => setImmediate(resolve));
  const fourth = run();
  expect(fourth).not.toBe(second);
  runs[1]?.resolve();
  await second;
  while (runs.length < 3) await new Promise((resolve) => setImmediate(resolve));
  runs[2]?.resolve();
  await fourth;
  expect(runs.length).toBe(3);
});

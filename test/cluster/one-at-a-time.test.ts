import { expect, test } from "bun:test";
import { oneAtATime } from "../../src/cluster/one-at-a-time.ts";

test("calls during a run share one more run, which begins afterwards, also if the first one fails", async () => {
  const ends: PromiseWithResolvers<void>[] = [];
  const run = oneAtATime(() => {
    const end = Promise.withResolvers<void>();
    ends.push(end);
    return end.promise;
  });
  const first = run();
  const others = [run(), run()];
  expect(ends.length).toBe(1);
  ends[0]?.reject(new Error("broken"));
  expect(await first.catch(String)).toBe("Error: broken");
  await new Promise((resolve) => setImmediate(resolve));
  expect(ends.length).toBe(2);
  ends[1]?.resolve();
  await Promise.all(others);
  expect(ends.length).toBe(2);
});

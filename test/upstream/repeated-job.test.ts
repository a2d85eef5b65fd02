import { expect, test } from "bun:test";
import { createRepeatedJob } from "../../src/upstream/repeated-job.ts";
import { fakeClock } from "../support/clock.ts";

const EVERY_MS = 1_000;

function rig(run: () => Promise<void>) {
  const clock = fakeClock();
  const problems: unknown[] = [];
  let times = 0;
  const job = createRepeatedJob({
    clock,
    everyMs: EVERY_MS,
    run: async () => {
      times++;
      await run();
    },
    failed: (error) => void problems.push(error),
  });
  const pass = async (ms: number) => {
    clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { job, pass, problems, times: () => times };
}

test("a job runs at the start and again after each pause, even after a failure", async () => {
  const { job, pass, problems, times } = rig(async () => {
    throw new Error("broken");
  });
  job.start();
  await pass(0);
  expect(times()).toBe(1);
  await pass(EVERY_MS);
  await pass(EVERY_MS);
  expect([times(), problems.length]).toEqual([3, 3]);
});

test("a job that is stopped does not run again, even if it was under way", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { job, pass, times } = rig(() => promise);
  job.start();
  job.stop();
  expect(job.isStopped()).toBe(true);
  resolve();
  await pass(0);
  await pass(10 * EVERY_MS);
  expect(times()).toBe(1);
});

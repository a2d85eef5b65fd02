// The benchmark reads the CPU time of other processes.

import { describe, expect, test } from "bun:test";
import { cpuSeconds } from "../../scripts/bench/process-figures.ts";

describe("the CPU time of a process", () => {
  test("is the one that the process itself reads", () => {
    const before = ownSeconds();
    const read = cpuSeconds(process.pid);
    const after = ownSeconds();
    // The process reads its own time as two sums of whole microseconds, rounded down.
    expect(read).toBeGreaterThanOrEqual(before);
    expect(read).toBeLessThanOrEqual(after + 2e-6);
  });

  test("cannot be read when the process is gone", async () => {
    const ended = Bun.spawn(["true"]);
    await ended.exited;
    expect(() => cpuSeconds(ended.pid)).toThrow(`process ${ended.pid} failed: the process is gone`);
  });
});

function ownSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

// A run with --wait whose turns the proxy did not let wait: it waits itself, and resumes the thread.

import { expect, test } from "bun:test";
import { runWaiting, type WaitingRun } from "../../../src/cli/run/waiting-run.ts";
import type { Ended } from "../../../src/codex/run.ts";
import type { RunSeen } from "../../../src/core/run-tag.ts";
import { fakeClock } from "../../support/clock.ts";
import { outcome } from "../../support/outcome.ts";

const THREAD = "01a22417-dd15-7992-ab1b-eb9187c68046";
const DONE: Ended = { kind: "exit", code: 0 };
const FAILED: Ended = { kind: "exit", code: 1 };
const SERVING: RunSeen = { requests: 1, turns: 1, threads: [THREAD] };
const EXHAUSTED: RunSeen = { ...SERVING, outage: { causes: ["limit"], first: undefined } };
const DISABLED: RunSeen = { ...SERVING, outage: { causes: ["off"], first: undefined } };

/** Runs Codex, which ends as `ends` says, while the proxy answers as `answers` say; the last one repeats. */
async function run(
  ends: readonly Ended[],
  answers: readonly (RunSeen | undefined)[],
  more: Partial<WaitingRun> = {},
) {
  const started: (readonly string[])[] = [];
  let asked = 0;
  const log: string[] = [];
  const ended = await runWaiting({
    deps: {
      clock: fakeClock(),
      log: { info: (line) => void log.push(line), warn: (line) => void log.push(line) },
    },
    args: ["exec", "--json", "do it"],
    isInteractive: false,
    waitMs: 60_000,
    start: async (args) => {
      started.push(args);
      return ends[started.length - 1] ?? FAILED;
    },
    traffic: async () => answers[Math.min(asked++, answers.length - 1)],
    savedThread: (threads) => threads[0],
    lineOf: (args) => `codexlb run ${args.join(" ")}`,
    ...more,
  });
  return { ended, started, log };
}

test("a run that succeeds starts Codex once", async () => {
  const { ended, started } = await run([DONE], [SERVING]);
  expect(ended).toEqual(DONE);
  expect(started).toEqual([["exec", "--json", "do it"]]);
});

test("a refused turn is resumed when an account can serve again", async () => {
  const { ended, started, log } = await run([FAILED, DONE], [EXHAUSTED, SERVING]);
  expect(ended).toEqual(DONE);
  expect(started[1]).toEqual(["exec", "--json", "resume", THREAD, "Continue where you stopped."]);
  expect(log).toEqual([`resuming thread ${THREAD}`]);
});

test.each<[string, readonly RunSeen[], Partial<WaitingRun>]>([
  ["that failed although an account can serve", [SERVING], {}],
  ["whose accounts do not come back by themselves", [DISABLED], {}],
  ["without a saved thread", [EXHAUSTED, SERVING], { savedThread: () => undefined }],
  ["with an unknown flag", [EXHAUSTED, SERVING], { args: ["exec", "--new-flag", "do it"] }],
])("a run %s is not resumed", async (_why, answers, more) => {
  const { ended, started } = await run([FAILED], answers, more);
  expect(ended).toEqual(FAILED);
  expect(started).toHaveLength(1);
});

const lateBy = (ms: number): RunSeen => ({
  ...SERVING,
  outage: { causes: ["limit"], first: { name: "alice", atMs: fakeClock().now() + ms } },
});

test("a reset that is later than --wait allows is reported, and the run is not resumed", async () => {
  const { ended, started, log } = await run([FAILED], [lateBy(38_000)], { waitMs: 10_000 });
  expect(ended).toEqual(FAILED);
  expect(started).toHaveLength(1);
  expect(log).toEqual(["not waiting: the first reset (in 38 s) is later than --wait=10s allows"]);
});

test("the same is reported before an interactive Codex starts", async () => {
  const { log } = await run([DONE], [lateBy(45_000)], { args: [], isInteractive: true, waitMs: 30_000 });
  expect(log).toEqual(["not waiting: the first reset (in 45 s) is later than --wait=30s allows"]);
});

test("a run that a signal ended is not resumed", async () => {
  let starts = 0;
  const { ended } = await run([], [EXHAUSTED, SERVING], {
    start: async () => {
      starts++;
      process.emit("SIGTERM", "SIGTERM");
      return FAILED;
    },
  });
  expect(ended).toEqual(FAILED);
  expect(starts).toBe(1);
});

test("an interactive Codex starts when an account can serve, and is not resumed", async () => {
  const { ended, started } = await run([FAILED], [SERVING, EXHAUSTED], {
    args: [],
    isInteractive: true,
  });
  expect(ended).toEqual(FAILED);
  expect(started).toEqual([[]]);
});

test("Ctrl-C in a wait after a refused turn names the command that resumes the thread", async () => {
  let asked = 0;
  const interrupted = run([FAILED], [], {
    traffic: async () => {
      if (++asked === 2) process.emit("SIGINT", "SIGINT");
      return EXHAUSTED;
    },
  });
  expect(await outcome(interrupted)).toThrow(
    expect.objectContaining({
      exitCode: 130,
      message: "interrupted by SIGINT; the thread was not resumed",
      next: `resume with: codexlb run exec --json resume ${THREAD} Continue where you stopped.`,
    }),
  );
});

test("Ctrl-C before an interactive Codex starts says that it was not started", async () => {
  const interrupted = run([], [], {
    args: [],
    isInteractive: true,
    traffic: async () => {
      process.emit("SIGINT", "SIGINT");
      return EXHAUSTED;
    },
  });
  expect(await outcome(interrupted)).toThrow(
    expect.objectContaining({
      message: "interrupted by SIGINT; Codex was not started",
      next: "run the command again",
    }),
  );
});

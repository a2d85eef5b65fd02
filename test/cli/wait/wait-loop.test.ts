// The loop of a wait, with a clock that the test advances.

import { expect, test } from "bun:test";
import { LOOK_MS, type WaitOutcome, waitFor } from "../../../src/cli/wait/wait-loop.ts";
import type { WaitState } from "../../../src/cli/wait/wait-target.ts";
import { CodexlbError } from "../../../src/errors.ts";
import { fakeClock } from "../../support/clock.ts";
import { outcome } from "../../support/outcome.ts";

const WAIT: WaitState = { kind: "wait", why: "limit", back: undefined };
const UNREACHABLE = new CodexlbError("proxy_unreachable", "no proxy", { next: "start it" });

interface Loop {
  readonly outcome: WaitOutcome;
  /** How long each pause was, ms. */
  readonly pauses: readonly number[];
}

/** Runs the loop over `states`; the last one repeats. */
async function loop(
  states: readonly (WaitState | Error | ((nowMs: number) => WaitState))[],
  {
    timeoutMs,
    interruptAfter = Number.POSITIVE_INFINITY,
  }: { timeoutMs?: number; interruptAfter?: number } = {},
): Promise<Loop> {
  const clock = fakeClock();
  const pauses: number[] = [];
  let looks = 0;
  const outcome = await waitFor({
    clock,
    look: async () => {
      const state = states[Math.min(looks++, states.length - 1)] ?? WAIT;
      if (state instanceof Error) throw state;
      return typeof state === "function" ? state(clock.now()) : state;
    },
    timeoutMs,
    sleep: async (ms) => {
      pauses.push(ms);
      clock.advance(ms);
    },
    isInterrupted: () => pauses.length >= interruptAfter,
    waits: () => {},
  });
  return { outcome, pauses };
}

test("a wait that is already over takes no time", async () => {
  expect(await loop([{ kind: "done", name: "alice" }])).toEqual({
    outcome: { kind: "done", name: "alice" },
    pauses: [],
  });
});

test("it looks four times a minute, and at the known reset", async () => {
  const back = { name: "alice", atMs: fakeClock().now() + 20_000 };
  const { pauses, outcome } = await loop([
    { ...WAIT, back },
    { ...WAIT, back },
    { kind: "done", name: undefined },
  ]);
  expect(outcome.kind).toBe("done");
  expect(pauses).toEqual([LOOK_MS, 5_500]);
});

test("it ends at the timeout", async () => {
  const { outcome, pauses } = await loop([WAIT], { timeoutMs: 20_000 });
  expect(outcome).toEqual({ kind: "timeout", state: WAIT });
  expect(pauses).toEqual([LOOK_MS, 5_000]);
});

test("it ends when waiting does not help any longer", async () => {
  const never = { kind: "never", why: "the only account is disabled by you" } as const;
  expect((await loop([WAIT, never])).outcome).toEqual(never);
});

test("it ends when it is interrupted", async () => {
  expect((await loop([WAIT], { interruptAfter: 1 })).outcome).toEqual({ kind: "interrupted" });
});

test("a proxy that restarts meanwhile does not end it", async () => {
  expect((await loop([WAIT, UNREACHABLE, { kind: "done", name: undefined }])).outcome.kind).toBe("done");
});

test("a proxy that cannot be reached at the start is an error", async () => {
  expect(await outcome(loop([UNREACHABLE]))).toThrow("no proxy");
});

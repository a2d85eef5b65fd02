// The rules for waiting turns: bounds, order and ends, with a pool that the test sets and a clock that it advances.

import { describe, expect, test } from "bun:test";
import type { Candidate } from "../../src/core/availability.ts";
import { LOOK_MS, PLACING_MS } from "../../src/proxy/wait-queue.ts";
import type { UnservedTurn, WaitEnd } from "../../src/proxy/waiting-turn.ts";
import { createWaitingTurns } from "../../src/proxy/waiting-turns.ts";
import type { LiveUse } from "../../src/upstream/leases.ts";
import type { Shortage } from "../../src/upstream/shortage.ts";
import { fakeClock } from "../support/clock.ts";

const HOUR_MS = 3_600_000;
const MIB = 1024 * 1024;
const NEVER_ABORTED = new AbortController().signal;

function exhausted(untilMs: number | undefined): Shortage {
  return {
    kind: "all_exhausted",
    untilMs,
    first: { label: "alice", window: "short" },
    coolingUntilMs: undefined,
    disabled: 0,
    ofAccounts: true,
    disabledByOperator: [],
    keptBack: [],
    atCap: [],
    details: [],
  };
}

function start(setting = "6h") {
  const clock = fakeClock();
  const pool: {
    shortage: Shortage;
    taker: Candidate["condition"] | undefined;
    /** The requests that an account serves. */
    served: readonly number[];
  } = {
    shortage: exhausted(clock.now() + HOUR_MS),
    taker: undefined,
    served: [],
  };
  const events: string[] = [];
  const settings = { waitForReset: setting };
  let requests = 0;
  const waiting = createWaitingTurns({
    clock,
    pool: {
      takerOf: () => pool.taker && ({ condition: pool.taker } as Candidate),
      shortage: () => pool.shortage,
      live: () => pool.served.map((requestId) => ({ requestId }) as LiveUse),
    },
    events: {
      append: (event, fields) => void events.push(`${event} ${fields?.reason ?? ""}`.trim()),
      flush: () => {},
    },
    waitForReset: () => settings.waitForReset,
  });
  const turn = (more: Partial<UnservedTurn> = {}, waitMs = 0): UnservedTurn => ({
    incoming: { requestId: ++requests, hops: [], runId: undefined, waitMs, tags: [] },
    origin: { session: undefined, hops: [] },
    bytes: 1,
    signal: NEVER_ABORTED,
    ...more,
  });
  const ends: WaitEnd[] = [];
  /** Lets a turn wait. Returns false if it must not. */
  const wait = (more: Partial<UnservedTurn> = {}, waitMs = 0): boolean => {
    const waited = waiting.waitFor(turn(more, waitMs), pool.shortage)?.next();
    void waited?.then((end) => ends.push(end));
    return waited !== undefined;
  };
  /** Advances the clock. Returns the ends so far. */
  const after = async (ms: number): Promise<readonly WaitEnd[]> => {
    clock.advance(ms);
    await Promise.resolve();
    return ends;
  };
  return { clock, pool, events, settings, waiting, turn, wait, after };
}

describe("a turn waits", () => {
  test("if every account is exhausted, and the first reset is within the setting", () => {
    expect(start("1h").wait()).toBeTrue();
    expect(start("59m").wait()).toBeFalse();
    expect(start("off").wait()).toBeFalse();
  });

  test("as long as its run allows, whatever the setting says", () => {
    expect(start("off").wait({}, 2 * HOUR_MS)).toBeTrue();
    expect(start("2h").wait({}, 60_000)).toBeTrue();
  });

  test("never longer than a week", () => {
    const { clock, pool, wait } = start("off");
    pool.shortage = exhausted(clock.now() + 8 * 24 * HOUR_MS);
    expect(wait({}, 30 * 24 * HOUR_MS)).toBeFalse();
  });

  test.each(["all_tried", "all_disabled", "no_accounts"] as const)("not because of %s", (kind) => {
    const { pool, wait } = start();
    pool.shortage = { ...pool.shortage, kind };
    expect(wait()).toBeFalse();
  });

  test("not without a known reset", () => {
    const { pool, wait } = start();
    pool.shortage = exhausted(undefined);
    expect(wait()).toBeFalse();
  });

  test("not if a proxy in front sent it", () => {
    const { turn, waiting, pool } = start();
    const { incoming } = turn();
    const chained = turn({ incoming: { ...incoming, hops: [{ name: "front", id: "f" }] } });
    expect(waiting.waitFor(chained, pool.shortage)).toBeUndefined();
  });

  test("not if 256 others wait, or 64 MiB", () => {
    const many = start();
    for (let count = 0; count < 256; count++) expect(many.wait()).toBeTrue();
    expect(many.wait()).toBeFalse();
    const large = start();
    expect(large.wait({ bytes: 60 * MIB })).toBeTrue();
    expect(large.wait({ bytes: 5 * MIB })).toBeFalse();
    expect(large.wait({ bytes: 4 * MIB })).toBeTrue();
  });
});

describe("the wait ends", () => {
  test("when an account can take the turn, one turn after the other", async () => {
    const { pool, wait, after, waiting } = start();
    for (let count = 0; count < 3; count++) wait();
    expect(await after(LOOK_MS)).toEqual([]);
    pool.taker = "ready";
    expect(await after(LOOK_MS)).toEqual(["again"]);
    expect(await after(PLACING_MS)).toEqual(["again", "again"]);
    expect(await after(PLACING_MS)).toEqual(["again", "again", "again"]);
    expect(waiting.summary()).toEqual({ turns: 0 });
  });

  test("and the turn counts as resumed in its run while an account serves it", async () => {
    const { pool, turn, wait, after, waiting } = start();
    const { incoming } = turn();
    wait({ incoming: { ...incoming, runId: "run" } });
    expect(waiting.summary("run")).not.toHaveProperty("resumed");
    pool.taker = "ready";
    pool.served = [incoming.requestId, 99];
    await after(LOOK_MS);
    expect(waiting.summary("run")).toEqual({ turns: 0, resumed: 1 });
    expect(waiting.summary("other")).toEqual({ turns: 0 });
    pool.served = [];
    expect(waiting.summary("run")).toEqual({ turns: 0 });
  });

  test("not while the account has all the turns that its slow start allows", async () => {
    const { pool, wait, after } = start();
    wait();
    pool.taker = "probing";
    expect(await after(60_000)).toEqual([]);
    pool.taker = "ready";
    expect(await after(LOOK_MS)).toEqual(["again"]);
  });

  test("at the bound", async () => {
    const { clock, pool, wait, after, events } = start("2h");
    wait();
    // The reset is put off again and again.
    pool.shortage = exhausted(clock.now() + 2 * HOUR_MS);
    expect(await after(2 * HOUR_MS - LOOK_MS)).toEqual([]);
    expect(await after(2 * LOOK_MS)).toEqual(["refuse"]);
    expect(events).toEqual(["request.waiting", "request.wait_ended expired"]);
  });

  test("when waiting is switched off, with that reason", async () => {
    const { settings, wait, after, events } = start();
    wait();
    settings.waitForReset = "off";
    expect(await after(LOOK_MS)).toEqual(["refuse"]);
    expect(events).toEqual(["request.waiting", "request.wait_ended wait_disabled"]);
  });

  test("at the bound, even if the clock was set back", async () => {
    const { clock, wait, after } = start("2h");
    wait();
    clock.setBack(24 * HOUR_MS);
    expect(await after(2 * HOUR_MS + LOOK_MS)).toEqual(["refuse"]);
  });

  test("when no account has a reset any more", async () => {
    const { pool, wait, after, events } = start();
    wait();
    pool.shortage = { ...pool.shortage, kind: "all_disabled" };
    expect(await after(60_000)).toEqual(["refuse"]);
    expect(events.at(-1)).toBe("request.wait_ended no_reset");
  });

  test("when the client disconnects", async () => {
    const { wait, after, events, waiting } = start();
    const leaving = new AbortController();
    wait({ signal: leaving.signal });
    leaving.abort();
    expect(await after(0)).toEqual(["left"]);
    expect(events.at(-1)).toBe("request.wait_ended client_left");
    expect(waiting.summary().turns).toBe(0);
  });

  test("when the proxy shuts down, after which no turn waits", async () => {
    const { wait, after, waiting } = start();
    wait();
    waiting.stop();
    expect(await after(0)).toEqual(["refuse"]);
    expect(wait()).toBeFalse();
  });
});

test("a turn that is refused after its wait waits longer each time, within one bound", async () => {
  const { clock, pool, turn, waiting } = start("2h");
  const wait = waiting.waitFor(turn(), pool.shortage);
  pool.taker = "ready";
  const waits: number[] = [];
  for (let count = 0; count < 4; count++) {
    const beganMs = clock.now();
    const waited = wait?.next();
    if (waited === undefined) throw new Error("the turn does not wait");
    let isOver = false;
    void waited.then(() => {
      isOver = true;
    });
    while (!isOver) {
      clock.advance(LOOK_MS);
      await Promise.resolve();
      await Promise.resolve();
    }
    waits.push(clock.now() - beganMs);
  }
  expect(waits).toEqual([1_000, 1_000, 2_000, 4_000]);
  clock.advance(2 * HOUR_MS);
  expect(wait?.next()).toBeUndefined();
});

test("the client gets a sign of life once a minute", async () => {
  const { wait, after } = start();
  let signs = 0;
  wait({ keepAlive: () => void signs++ });
  await after(59_000);
  expect(signs).toBe(0);
  await after(2 * 60_000);
  expect(signs).toBe(2);
});

test("a summary names the earliest reset, of all turns or of one run", () => {
  const { clock, pool, turn, waiting } = start();
  const { incoming } = turn();
  void waiting.waitFor(turn(), pool.shortage)?.next();
  pool.shortage = exhausted(clock.now() + 2 * HOUR_MS);
  const ofRun = turn({ incoming: { ...incoming, runId: "r" } });
  void waiting.waitFor(ofRun, pool.shortage)?.next();
  expect(waiting.summary()).toEqual({
    turns: 2,
    untilMs: clock.now() + HOUR_MS,
    account: "alice",
    window: "daily",
  });
  expect(waiting.summary("r")).toMatchObject({ turns: 1, untilMs: clock.now() + 2 * HOUR_MS });
  expect(waiting.summary("other")).toEqual({ turns: 0 });
});

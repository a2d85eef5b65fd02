// When a replica compares itself with its pool, and what it reports of the others, over a simulated engine.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createDegradation } from "../../src/cluster/degradation.ts";
import type { Engine } from "../../src/cluster/engine.ts";
import { createEngineClock } from "../../src/cluster/engine-clock.ts";
import type { Keyring } from "../../src/cluster/keyring.ts";
import type { LocalFacts } from "../../src/cluster/local-facts.ts";
import { createPoolLink, INTERVAL_MS } from "../../src/cluster/pool-link.ts";
import type { Member, PoolRecords } from "../../src/cluster/pool-records.ts";
import { createReplicaCounts } from "../../src/cluster/replica-counts.ts";
import { createReplicaFile } from "../../src/cluster/replica-file.ts";
import { MISSED_MS } from "../../src/core/cluster-words.ts";
import { fakeClock } from "../support/clock.ts";
import { outcome } from "../support/outcome.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

const member = (id: string, agoMs: number, stopped?: boolean): Member => ({
  id,
  about: { name: id, version: "1", ...(stopped === undefined ? {} : { stopped }) },
  agoMs,
});

let temp: TempDirectory;
beforeEach(() => {
  temp = tempDirectory();
});
afterEach(() => temp[Symbol.dispose]());

function rig() {
  const clock = fakeClock();
  const events: string[] = [];
  const state = {
    members: [member("me", 0)] as readonly Member[],
    isDuplicate: false,
    failure: undefined as Error | undefined,
    polls: [] as boolean[],
    stops: [] as unknown[],
    reports: [] as string[],
  };
  const log = { info: () => {}, warn: (line: string) => void events.push(line) };
  const file = createReplicaFile(join(temp.path, "cluster.json"), "me", "team", "pool");
  const records = {
    find: async () => "pool",
    poll: async (_id: string, _about: unknown, { isFirst }: { isFirst: boolean }) => {
      state.polls.push(isFirst);
      if (state.failure !== undefined) throw state.failure;
      const { members, isDuplicate } = state;
      const signals = { epoch: "0", revision: 0 };
      return { poolId: "pool", revision: "0", signals, engineMs: 0, sentRecords: "0", isDuplicate, members };
    },
    stop: async (...args: unknown[]) => void state.stops.push(args),
    generations: async () => new Map(),
    records: async () => new Map(),
  } as unknown as PoolRecords;
  const facts = { read: () => new Map(), flush: () => {} } as unknown as LocalFacts;
  const link = createPoolLink({
    deps: { clock, log },
    degradation: createDegradation(
      { clock, log },
      { append: (event, fields) => void events.push(`${event} ${fields?.code ?? ""}`.trim()) },
      "team",
    ),
    engine: { shown: "redis://e", info: async () => ({ runId: "", problems: [] }) } as unknown as Engine,
    engineClock: createEngineClock(clock),
    records,
    keyring: { sealer: { keyId: "k", tagOf: (name: string) => name } } as unknown as Keyring,
    file,
    processId: "p",
    counts: createReplicaCounts(),
    name: () => "me",
    nextKey: () => ({}),
    warn: () => {},
    lost: () => void state.reports.push("lost"),
    polled: () => void state.reports.push("polled"),
    compared: () => void state.reports.push("compared"),
  });
  link.use(facts);
  return { clock, events, state, file, link };
}

/** Lets everything happen that does not wait for the clock. */
const settled = async () => {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
};

describe("a replica compares itself with its pool", () => {
  test("again after five seconds, or when another replica would have missed its report", async () => {
    const { clock, state, link } = rig();
    const pollsAfter = async (ms: number) => {
      const before = state.polls.length;
      clock.advance(ms);
      await settled();
      return state.polls.length - before;
    };
    link.tick();
    await settled();
    expect(state.polls.length).toBe(1);
    state.members = [member("me", 0), member("b", MISSED_MS - 3_000), member("stopped", 1_000, true)];
    expect([await pollsAfter(INTERVAL_MS - 1), await pollsAfter(1)]).toEqual([0, 1]);
    state.members = [member("me", 0), member("b", MISSED_MS)];
    expect([await pollsAfter(2_999), await pollsAfter(1)]).toEqual([0, 1]);
    // It has missed its report, so there is no need to look earlier.
    expect(link.members.map(({ isConnected }) => isConnected)).toEqual([true, false]);
    expect([await pollsAfter(INTERVAL_MS - 1), await pollsAfter(1)]).toEqual([0, 1]);
  });

  test("five seconds after a failure, whatever it knew of the others", async () => {
    const { clock, state, link } = rig();
    state.members = [member("me", 0), member("b", MISSED_MS - 1)];
    link.tick();
    await settled();
    state.failure = new Error("gone");
    clock.advance(1);
    await settled();
    expect(state.polls.length).toBe(2);
    clock.advance(INTERVAL_MS - 1);
    await settled();
    expect(state.polls.length).toBe(2);
    clock.advance(1);
    await settled();
    expect(state.polls.length).toBe(3);
  });

  test("and counts the replicas that were connected recently and not stopped", async () => {
    const { state, link, file } = rig();
    state.members = [
      ...[member("me", 0), member("late", 60_000), member("away", 3_600_000)],
      ...[member("stopped", 1_000, true)],
    ];
    await link.sync();
    expect(file.replicas()).toBe(2);
    expect(link.members.map(({ id, isConnected, isStopped }) => [id, isConnected, isStopped])).toEqual([
      ["me", true, false],
      ["late", false, false],
      ["away", false, false],
      ["stopped", false, true],
    ]);
    // The list is empty for a moment after a change of the key.
    state.members = [];
    await link.sync();
    expect(file.replicas()).toBe(1);
  });

  test("takes the place of another process only with its first report", async () => {
    const { state, link } = rig();
    state.failure = new Error("gone");
    await outcome(link.sync());
    state.failure = undefined;
    await link.sync();
    await link.sync();
    expect(state.polls).toEqual([true, true, false]);
  });

  test("and sends no signals while another process is the replica, about which it warns once", async () => {
    const { state, link, events } = rig();
    await link.sync();
    state.failure = new Error("gone");
    await outcome(link.sync());
    state.failure = undefined;
    state.isDuplicate = true;
    state.reports.length = 0;
    for (let times = 0; times < 2; times++)
      expect(await outcome(link.sync())).toThrow("is connected to the pool team as the same replica");
    expect([state.reports, link.isUsable]).toEqual([["lost", "lost"], false]);
    state.isDuplicate = false;
    await link.sync();
    expect([state.reports.slice(2), link.isUsable]).toEqual([["polled", "compared"], true]);
    expect(events.filter((line) => line.startsWith("cluster."))).toEqual([
      "cluster.degraded internal",
      "cluster.degraded same_replica_twice",
      "cluster.recovered",
    ]);
  });

  test("no longer once it is stopped, which it reports last", async () => {
    const { state, link } = rig();
    await link.sync();
    link.stop();
    await link.signOff();
    link.tick();
    await settled();
    expect(state.polls.length).toBe(1);
    expect(state.stops).toEqual([["me", { name: "me", version: expect.any(String), stopped: true }, "p"]]);
  });
});

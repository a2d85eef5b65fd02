// How a replica compares itself with its pool, over a simulated engine.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createDegradation } from "../../src/cluster/degradation.ts";
import type { Engine } from "../../src/cluster/engine.ts";
import { createEngineClock } from "../../src/cluster/engine-clock.ts";
import type { Keyring } from "../../src/cluster/keyring.ts";
import type { LocalFacts } from "../../src/cluster/local-facts.ts";
import { createPoolLink } from "../../src/cluster/pool-link.ts";
import type { Member, PoolRecords } from "../../src/cluster/pool-records.ts";
import { createReplicaCounts } from "../../src/cluster/replica-counts.ts";
import { createReplicaFile } from "../../src/cluster/replica-file.ts";
import { fakeClock } from "../support/clock.ts";
import { outcome } from "../support/outcome.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

const member = (id: string, agoMs: number): Member => ({ id, about: { name: id, version: "1" }, agoMs });

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
    nextKey: () => undefined,
    warn: () => {},
    lost: () => void state.reports.push("lost"),
    polled: () => void state.reports.push("polled"),
    compared: () => void state.reports.push("compared"),
  });
  link.use(facts);
  return { clock, events, state, file, link };
}

describe("a replica compares itself with its pool", () => {
  test("takes the place of another process only with its first report", async () => {
    const { state, link } = rig();
    state.failure = new Error("gone");
    await outcome(link.sync());
    state.failure = undefined;
    await link.sync();
    await link.sync();
    expect(state.polls).toEqual([true, true, false]);
  });

  test("and sends no signals while it is another process, about which it warns once", async () => {
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
});

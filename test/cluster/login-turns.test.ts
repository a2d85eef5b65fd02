// The turns of two replicas over one engine, without their proxies. Leases end at once, so nothing has to wait.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Redis } from "ioredis";
import type { RenewalTurn, RenewalTurns } from "../../src/auth/renewal-turns.ts";
import { createEngine, type Engine } from "../../src/cluster/engine.ts";
import type { LocalFacts } from "../../src/cluster/local-facts.ts";
import { loginTurns } from "../../src/cluster/login-turns.ts";
import { type PoolRecords, poolRecords } from "../../src/cluster/pool-records.ts";
import { createReplicaFile, type ReplicaFile } from "../../src/cluster/replica-file.ts";
import { processChannelOf } from "../../src/cluster/scripts.ts";
import { createSealer, markOf, type Sealer } from "../../src/cluster/sealing.ts";
import { systemDeps } from "../../src/deps.ts";
import { startRedis, type TestRedis, whyNoRedis } from "../support/redis.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

const NAME = "login/alice";
const HOME = "/root/accounts/alice";
const login = (auth: string) => JSON.stringify({ auth, config: null });

interface Side {
  readonly file: ReplicaFile;
  readonly turns: RenewalTurns;
  readonly warnings: string[];
  /** The text of the auth.json. */
  auth: string;
  takesOver: boolean;
  nowMs: number;
}

describe.skipIf(whyNoRedis !== undefined)("turns", () => {
  let redis: TestRedis;
  let engine: Engine;
  let records: PoolRecords;
  let sealer: Sealer;
  let temp: TempDirectory;
  let a: Side;
  let b: Side;

  /** If `id` is a copy of the root of the replica `replica`, it has another process. */
  const sideOf = (id: string, replica = id): Side => {
    const deps = systemDeps();
    const file = createReplicaFile(join(temp.path, `${id}.json`), replica, "team", "pool");
    file.agree(NAME, { generation: 1, mark: markOf(login("one")) });
    const warnings: string[] = [];
    const side = { file, warnings, auth: "one", takesOver: true, nowMs: 0 };
    const facts = { valueOf: () => login(side.auth) } as unknown as LocalFacts;
    const turns = loginTurns({
      deps: {
        clock: { ...deps.clock, now: () => side.nowMs },
        log: { info: () => {}, warn: (line) => void warnings.push(line) },
      },
      records,
      file,
      processId: id,
      facts: () => facts,
      sync: async () => {
        const about = { name: replica, version: "1" };
        const { isDuplicate } = await records.poll(replica, about, { processId: id, isFirst: false });
        if (isDuplicate) throw new Error("another process is this replica");
        const tag = sealer.tagOf(NAME);
        const record = (await records.records([tag])).get(tag);
        if (record?.opened?.kind !== "fact" || record.opened.fact.value === null) return;
        const { value } = record.opened.fact;
        if (record.generation <= file.agreed(NAME).generation) return;
        side.auth = JSON.parse(value).auth;
        file.agree(NAME, { generation: record.generation, mark: markOf(value) });
      },
      nextChange: async () => {},
      takesOver: () => side.takesOver,
      nameOf: (replica) => replica,
      leaseMs: 0,
    });
    return Object.assign(side, { turns });
  };
  const begin = (side: Side, timeoutMs = 0) => side.turns.begin(HOME, side.auth, timeoutMs);
  const granted = (turn: RenewalTurn) => {
    if (turn.kind !== "granted") throw new Error(JSON.stringify(turn));
    return turn;
  };

  beforeAll(async () => {
    redis = await startRedis();
    temp = tempDirectory();
    const deps = systemDeps();
    engine = createEngine({ url: redis.url, pool: "team", deps });
    await engine.connected(5_000);
    sealer = createSealer(new Uint8Array(32), "team", deps.random);
    records = poolRecords(engine, sealer, "team");
  });
  afterAll(async () => {
    engine.close();
    await redis[Symbol.asyncDispose]();
    temp[Symbol.dispose]();
  });
  beforeEach(async () => {
    await redis.cli("FLUSHALL");
    await records.create("pool", "", false);
    await records.put({ name: NAME, value: login("one") }, 0, 1);
    a = sideOf("A");
    b = sideOf("B");
  });

  test("give the others the login that was renewed", async () => {
    const turn = granted(await begin(a));
    a.auth = "two";
    await turn.end({ kind: "renewed", login: "two" });
    expect(a.file.agreed(NAME).generation).toBe(2);
    // The other replica still has the old login, and must not send its token.
    const before = b.auth;
    expect(await begin(b, 1_000)).toEqual({ kind: "replaced" });
    expect([before, b.auth]).toEqual(["one", "two"]);
    granted(await begin(b));
  });

  test("that are not ended can be taken over by others only after a while, with a warning", async () => {
    granted(await begin(a));
    b.takesOver = false;
    expect(await begin(b)).toEqual({ kind: "failed", why: "the replica A is renewing the login" });
    b.takesOver = true;
    granted(await begin(b));
    expect(b.warnings).toEqual([
      "the replica A did not finish renewing the login of alice; if it was killed after the token endpoint had answered, the login has ended and alice must log in again",
    ]);
  });

  test("of one process are not taken over by another process of its replica until the first one has ended", async () => {
    const start = (side: Side, processId: string) =>
      records.poll(side.file.replica, { name: "A", version: "1" }, { processId, isFirst: true });
    const copy = sideOf("A2", "A");
    for (const side of [a, copy]) side.takesOver = false;
    const subscriber = new Redis(redis.url.slice("unix://".length));
    await subscriber.subscribe(processChannelOf("team", "A"), processChannelOf("team", "A2"));
    await start(a, "A");
    const turn = granted(await begin(a));
    await start(copy, "A2");
    const isBusy = { kind: "failed", why: "another process of this replica is renewing the login" } as const;
    expect(await begin(copy)).toEqual(isBusy);
    // The first process can end its turn, but gets no other one.
    await turn.end({ kind: "failed" });
    expect(await begin(a)).toEqual({
      kind: "failed",
      why: "asking the pool: another process is this replica",
    });
    granted(await begin(copy));
    await start(a, "A");
    expect(await begin(a)).toEqual(isBusy);
    await subscriber.unsubscribe(processChannelOf("team", "A2"));
    granted(await begin(a));
    expect(a.warnings.join()).toStartWith("another process of this replica did not finish renewing");
    // Whether a process has ended is unknown if it was not subscribed when it began, so its turn lasts as long as any
    // other.
    await subscriber.unsubscribe();
    await start(copy, "A2");
    granted(await begin(copy));
    await start(a, "A");
    expect(await begin(a)).toEqual(isBusy);
    // An earlier version does not write down which process has a turn.
    await redis.cli("DEL", "{codexlb:team}:holders");
    expect(await begin(a)).toEqual(isBusy);
    subscriber.disconnect();
  });

  test("that end without a new login leave the token for the next one", async () => {
    await granted(await begin(a)).end({ kind: "failed" });
    granted(await begin(b));
    expect(b.warnings).toEqual([]);
  });

  test("that end with a refusal keep every replica from sending the token again, until there is another login", async () => {
    await granted(await begin(a)).end({ kind: "dead", reason: "refresh-token-reused" });
    for (const side of [a, b])
      expect(await begin(side)).toEqual({
        kind: "dead",
        reason: "refresh-token-reused",
        why: "another replica was refused with the same login",
      });
    await records.put({ name: NAME, value: login("new") }, 1, 2);
    expect(await begin(a, 1_000)).toEqual({ kind: "replaced" });
    granted(await begin(a));
  });

  test("are not used by a process that was stopped after it had asked, or whose clock was set back", async () => {
    for (const laterMs of [600_000, -1]) {
      const asked = begin(a);
      a.nowMs += laterMs;
      expect(await asked).toEqual({ kind: "failed", why: "this process was stopped in the meantime" });
    }
    granted(await begin(b));
    expect(b.warnings).toEqual([]);
  });

  test("are not granted for a login that the pool does not have", async () => {
    a.auth = "mine";
    expect(await begin(a)).toEqual({ kind: "failed", why: "the pool does not have the current login yet" });
  });

  test("are refused without the engine, and a renewed login is not lost", async () => {
    const turn = granted(await begin(a));
    await redis.kill();
    a.auth = "two";
    await turn.end({ kind: "renewed", login: "two" });
    expect(a.warnings.join()).toContain("sending the renewed login of alice to the pool: contacting unix://");
    expect(a.file.agreed(NAME).generation).toBe(1);
    const answer = await begin(b);
    expect(answer.kind).toBe("failed");
    expect(answer).toEqual({
      kind: "failed",
      why: expect.stringContaining("asking the pool: contacting unix://"),
    });
    await redis.restart();
    await engine.connected(10_000);
  });
});

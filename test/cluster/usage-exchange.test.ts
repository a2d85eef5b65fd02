// Tests how replicas exchange records of turns and switches, with a real engine and real files in one process.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createEngine } from "../../src/cluster/engine.ts";
import { poolRecords } from "../../src/cluster/pool-records.ts";
import { createSealer } from "../../src/cluster/sealing.ts";
import { batchIn, batchText } from "../../src/cluster/turn-batch.ts";
import { createUsageExchange } from "../../src/cluster/usage-exchange.ts";
import { type OutgoingBatch, type UsageStream, usageStream } from "../../src/cluster/usage-stream.ts";
import type { MovedTurn } from "../../src/core/pool-facts.ts";
import { type Clock, systemDeps } from "../../src/deps.ts";
import { MOST_KEPT, openExchange, STREAM_START } from "../../src/state/usage/turn-exchange.ts";
import { createUsageStore } from "../../src/state/usage/usage-store.ts";
import { fakeClock } from "../support/clock.ts";
import { until } from "../support/pool.ts";
import { recordedTurns } from "../support/recorded-turns.ts";
import { startRedis, type TestRedis, whyNoRedis } from "../support/redis.ts";
import { tempDirectory } from "../support/temp.ts";
import { NOON, turnRecord } from "../support/turn-record.ts";

const POOL_ID = "pool-id";

interface Member extends Disposable {
  readonly path: string;
  /** What the event log got. */
  readonly events: string[];
  readonly moved: MovedTurn[];
  readonly store: ReturnType<typeof createUsageStore>;
  readonly exchange: ReturnType<typeof createUsageExchange>;
  /** The sessions of the turns in its file. */
  sessions(): unknown[];
}

function member(
  stream: (replica: string) => UsageStream,
  replica: string,
  { clock = systemDeps().clock, path: given }: { clock?: Clock; path?: string } = {},
): Member {
  const temp = tempDirectory();
  const path = given ?? join(temp.path, "usage.db");
  const events: string[] = [];
  const moved: MovedTurn[] = [];
  const log = { info: () => {}, warn: (message: string) => void events.push(`warning: ${message}`) };
  const append = (event: string, fields = {}) => void events.push(`${event} ${JSON.stringify(fields)}`);
  const store = createUsageStore({
    path,
    deps: { clock, log },
    events: { append },
    owner: { isOurs: () => true },
    settings: () => ({ enabled: true, keepDays: 36_500 }),
    identityOf: (id) => `hash of ${id}`,
  });
  const exchange = createUsageExchange({
    deps: { clock, log },
    events: { append },
    stream: stream(replica),
    usage: store,
    membership: `${POOL_ID} ${replica}`,
    name: () => replica,
    isReady: () => true,
  });
  exchange.take((one) => moved.push(one));
  return {
    path,
    events,
    moved,
    store,
    exchange,
    sessions: () => recordedTurns(path).map(({ session }) => session),
    [Symbol.dispose]: () => {
      store.stop();
      temp[Symbol.dispose]();
    },
  };
}

/** A pool in `redis`, and the streams of its replicas. */
async function poolIn(redis: Pick<TestRedis, "url">) {
  const deps = systemDeps();
  const engine = createEngine({ url: redis.url, pool: "team", deps });
  await engine.connected(5_000);
  const sealer = createSealer(new Uint8Array(32), "team", deps.random);
  const records = poolRecords(engine, sealer, "team");
  const create = async () => void (await records.create(POOL_ID, "run", false));
  await create();
  return {
    create,
    stream: (replica: string) => usageStream({ engine, sealer, poolId: POOL_ID, replica }),
    sentRecords: async () => {
      const about = { name: "o", version: "v" };
      return (await records.poll("observer", about, { processId: "p", isFirst: true })).sentRecords;
    },
    [Symbol.dispose]: engine.close,
  };
}

const turnsOf = (prefix: string, count: number, from = 0) =>
  Array.from({ length: count }, (_, index) =>
    turnRecord({ session: `${prefix}${from + index}`, startedMs: NOON + from + index, proxy: prefix }),
  );

describe.skipIf(whyNoRedis !== undefined)("replicas exchange their records", () => {
  test("each turn once, with its proxy, its tokens and the identity of its account", async () => {
    await using redis = await startRedis();
    using pool = await poolIn(redis);
    using a = member(pool.stream, "a");
    using b = member(pool.stream, "b");
    for (const turn of turnsOf("a", 250)) a.store.add(turn);
    const switches = [{ from: "alice", to: "bob", reason: "http-503" }];
    b.store.add(turnRecord({ session: "b0", proxy: "b", switches, client: "laptop", startedMs: NOON + 500 }));
    await until("both have all turns", async () => {
      const total = await pool.sentRecords();
      for (const one of [a, b]) one.exchange.look(total);
      return a.store.added() === 251 && b.store.added() === 251;
    });
    await Promise.all([a.exchange.stop(), b.exchange.stop()]);
    const rows = recordedTurns(a.path);
    expect(rows.length).toBe(251);
    const content = (path: string) => recordedTurns(path).map((turn) => ({ ...turn, id: 0 }));
    expect(content(a.path)).toEqual(content(b.path));
    expect(rows.at(-1)).toMatchObject({
      account: "alice",
      identity: "hash of openai:alice",
      proxy: "b",
      client: "laptop",
      input_tokens: 1_000,
      switches: JSON.stringify(switches),
    });
    expect([...a.events, ...b.events]).toEqual([]);
  }, 60_000);

  test("switches with the name of their replica", async () => {
    await using redis = await startRedis();
    using pool = await poolIn(redis);
    using a = member(pool.stream, "a");
    using b = member(pool.stream, "b");
    const moved = { atMs: NOON, from: "alice", to: "bob", reason: "usage-limit", window: "weekly" } as const;
    a.exchange.send({ ...moved, session: "s1" });
    a.exchange.send({ atMs: NOON + 1, from: "bob", to: "alice", reason: "pinned" });
    await a.exchange.stop();
    await b.exchange.stop();
    expect(b.moved).toEqual([
      { ...moved, session: "s1", replica: "a" },
      { atMs: NOON + 1, from: "bob", to: "alice", reason: "pinned", replica: "a" },
    ]);
    await a.exchange.stop();
    expect(a.moved).toEqual([]);
  }, 60_000);

  test("each turn once, although an answer of the engine was lost", async () => {
    await using redis = await startRedis();
    using pool = await poolIn(redis);
    let isLost = true;
    using a = member((replica) => {
      const stream = pool.stream(replica);
      return {
        exchange: async (...args) => {
          const answer = await stream.exchange(...args);
          if (isLost) throw new Error("the answer was lost");
          return answer;
        },
      };
    }, "a");
    using b = member(pool.stream, "b");
    for (const turn of turnsOf("a", 3)) a.store.add(turn);
    await a.exchange.stop();
    isLost = false;
    a.store.add(turnRecord({ session: "a3", startedMs: NOON + 3 }));
    await a.exchange.stop();
    await b.exchange.stop();
    expect(b.sessions()).toEqual(["a0", "a1", "a2", "a3"]);
    expect(await redis.cli("XLEN", "{codexlb:team}:usage")).toBe("2");
    expect(a.events).toEqual([
      'cluster.records_failed {"error":"the answer was lost"}',
      "warning: exchanging records of turns with the other replicas: the answer was lost; codexlb tries again",
    ]);
  }, 60_000);

  test("what an emptied engine has lost, and report what is missing once", async () => {
    await using redis = await startRedis();
    using pool = await poolIn(redis);
    using a = member(pool.stream, "a");
    using b = member(pool.stream, "b");
    using c = member(pool.stream, "c");
    for (const turn of turnsOf("a", 10)) a.store.add(turn);
    for (const one of [a, b, c]) await one.exchange.stop();
    for (const turn of turnsOf("a", 5, 10)) a.store.add(turn);
    for (const one of [a, b]) await one.exchange.stop();
    await redis.cli("FLUSHALL");
    await pool.create();
    // It has nothing new, and sends again what the engine has lost.
    await a.exchange.stop();
    await c.exchange.stop();
    await b.exchange.stop();
    expect(b.sessions().length).toBe(15);
    expect(c.sessions()).toEqual(b.sessions());
    for (const turn of turnsOf("a", MOST_KEPT + 200, 15)) a.store.add(turn);
    await a.exchange.stop();
    await redis.cli("FLUSHALL");
    await pool.create();
    await a.exchange.stop();
    for (const one of [b, c, b]) await one.exchange.stop();
    expect(b.sessions()).toEqual(
      [
        ...Array(15).keys(),
        ...Array(MOST_KEPT)
          .fill(0)
          .map((_, n) => 215 + n),
      ].map((n) => `a${n}`),
    );
    expect(c.sessions()).toEqual(b.sessions());
    const missing = 'cluster.records_missing {"replica":"a","records":200}';
    expect([a.events, b.events, c.events]).toEqual([[], [missing], [missing]]);
  }, 120_000);

  test("new turns of a file that was restored from an older copy", async () => {
    await using redis = await startRedis();
    using pool = await poolIn(redis);
    using b = member(pool.stream, "b");
    using temp = tempDirectory();
    const copy = join(temp.path, "usage.db");
    {
      using a = member(pool.stream, "a");
      for (const turn of turnsOf("a", 3)) a.store.add(turn);
      await a.exchange.stop();
      a.store.reader()?.run(`VACUUM INTO '${copy}'`);
      for (const turn of turnsOf("a", 3, 3)) a.store.add(turn);
      await a.exchange.stop();
    }
    using a = member(pool.stream, "a", { path: copy });
    a.store.add(turnRecord({ session: "a9", startedMs: NOON + 9 }));
    await a.exchange.stop();
    await b.exchange.stop();
    const sessions = ["a0", "a1", "a2", "a3", "a4", "a5", "a9"];
    expect(b.sessions()).toEqual(sessions);
    // It gets its own turns since then from the pool.
    expect(a.sessions()).toEqual(sessions);
  }, 60_000);

  test("no turn twice, although the root has left the pool and joined it again", async () => {
    await using redis = await startRedis();
    using pool = await poolIn(redis);
    using a = member(pool.stream, "a");
    using temp = tempDirectory();
    const path = join(temp.path, "usage.db");
    for (const turn of turnsOf("a", 3)) a.store.add(turn);
    await a.exchange.stop();
    {
      using b = member(pool.stream, "b", { path });
      for (const turn of turnsOf("b", 3, 3)) b.store.add(turn);
      await b.exchange.stop();
    }
    using c = member(pool.stream, "c", { path });
    for (const turn of turnsOf("c", 2, 6)) c.store.add(turn);
    await c.exchange.stop();
    await a.exchange.stop();
    const sessions = ["a0", "a1", "a2", "b3", "b4", "b5", "c6", "c7"];
    expect(c.sessions()).toEqual(sessions);
    expect(a.sessions()).toEqual(sessions);
  }, 60_000);

  test("nothing with another pool of the same name", async () => {
    await using redis = await startRedis();
    using pool = await poolIn(redis);
    using a = member(pool.stream, "a");
    const identity = await redis.cli("HGET", "{codexlb:team}:meta", "identity");
    await redis.cli("HSET", "{codexlb:team}:meta", "identity", "another");
    for (const turn of turnsOf("a", 3)) a.store.add(turn);
    await a.exchange.stop();
    expect(await redis.cli("EXISTS", "{codexlb:team}:usage")).toBe("0");
    await redis.cli("HSET", "{codexlb:team}:meta", "identity", identity);
    await a.exchange.stop();
    expect(await redis.cli("XLEN", "{codexlb:team}:usage")).toBe("1");
  }, 60_000);
});

test.skipIf(whyNoRedis !== undefined)(
  "the stream keeps the last 50,000 records, and a replica that was away for longer reports the others",
  async () => {
    await using redis = await startRedis();
    const page = await Bun.file(join(import.meta.dir, "..", "..", "docs", "cluster.md")).text();
    const [, ...rights] = /^user codexlb .*$/m.exec(page)?.[0].split(" ") ?? [];
    expect(await redis.cli("ACL", "SETUSER", ...rights)).toBe("OK");
    // All of that with the rights in docs/cluster.md.
    using pool = await poolIn({ url: redis.tcpUrl.replace("redis://", "redis://codexlb:PASSWORD@") });
    using b = member(pool.stream, "b");
    const stream = pool.stream("a");
    const batch = (after: number, count: number): OutgoingBatch => {
      const records = Array.from({ length: count }, (_, index) => ({
        sequence: after + index + 1,
        turn: null,
        moved: JSON.stringify({ atMs: NOON, from: "alice", to: "bob", reason: "pinned" }),
      }));
      return { after, last: after + count, count, text: batchText("a", after, records), force: false };
    };
    expect((await stream.exchange("source", batch(0, 100), STREAM_START))?.added).toBe(true);
    await b.exchange.stop();
    for (let after = 100; after < 60_000; after += 100)
      await stream.exchange("source", batch(after, 100), "9-9");
    await b.exchange.stop();
    const [missing = ""] = b.events;
    const { records } = JSON.parse(missing.replace("cluster.records_missing ", ""));
    expect(b.events).toEqual([`cluster.records_missing {"replica":"a","records":${records}}`]);
    expect(b.moved.length + records).toBe(60_000);
    // The engine removes whole nodes of the stream, and a tenth at a time.
    expect(b.moved.length).toBeGreaterThan(40_000);
    expect(b.moved.length).toBeLessThan(51_000);
  },
  120_000,
);

test("a batch of a later version loses only what this version does not understand", () => {
  using a = member(() => ({ exchange: async () => undefined }), "a");
  a.store.add(turnRecord());
  const database = a.store.reader();
  if (database === undefined) throw new Error("there is no database");
  const [record] = openExchange(database, `${POOL_ID} a`).outgoing(0, 10);
  const later = { ...record?.turn, more: 1 };
  const records = [
    { sequence: 1, turn: later, moved: null },
    { sequence: 2, turn: { ...later, outcome: "unheard-of" }, moved: null },
    { sequence: 3, turn: null, moved: null },
    { sequence: 4, turn: null, moved: JSON.stringify({ from: "alice" }) },
  ];
  const batch = batchIn(batchText("a", 0, records), 0);
  expect(batch).toMatchObject({ replica: "a", after: 0, moved: [], unknown: 2 });
  expect(batch?.turns).toEqual([{ ...turnRecord(), accountId: undefined, identity: "hash of openai:alice" }]);
  expect(batchIn(batchText("a", 0, records), 3)).toMatchObject({ turns: [], unknown: 1 });
  expect(batchIn("no batch", 0)).toBeUndefined();
});

test("the outbox is emptied when the root has joined another pool", () => {
  using a = member(() => ({ exchange: async () => undefined }), "a");
  a.store.add(turnRecord());
  const database = a.store.reader();
  if (database === undefined) throw new Error("there is no database");
  const before = openExchange(database, `${POOL_ID} a`);
  const { source } = before.state();
  expect(before.outgoing(0, 10).length).toBe(1);
  const after = openExchange(database, "another a");
  expect(after.outgoing(0, 10)).toEqual([]);
  expect(after.last()).toBe(0);
  expect(after.state()).toEqual({ source: expect.any(String), sent: 0, position: STREAM_START });
  expect(after.state().source).not.toBe(source);
});

test("1,000 turns in 100 seconds take 35 commands, and an idle replica none", async () => {
  const clock = fakeClock(NOON);
  let commands = 0;
  let sent = 0;
  const stream: UsageStream = {
    exchange: async (_, batch, position) => {
      commands++;
      const known = sent;
      sent = batch?.last ?? sent;
      const sentRecords = String(sent);
      return { added: true, known, sentRecords, position, hasMore: false, batches: [] };
    },
  };
  using a = member(() => stream, "a", { clock });
  for (const [index, turn] of turnsOf("a", 1_000).entries()) {
    a.store.add(turn);
    clock.advance(100);
    // The exchange is done before the next turn.
    if (index % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
  }
  clock.advance(10_000);
  await new Promise((resolve) => setImmediate(resolve));
  expect(sent).toBe(1_000);
  expect(commands).toBe(35);
  for (let second = 0; second < 600; second += 5) {
    clock.advance(5_000);
    a.exchange.look("1000");
  }
  expect(commands).toBe(35);
});

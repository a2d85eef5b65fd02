import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createEngine, type Engine } from "../../src/cluster/engine.ts";
import { readInfo } from "../../src/cluster/engine-info.ts";
import { poolRecords } from "../../src/cluster/pool-records.ts";
import { SCRIPTS } from "../../src/cluster/scripts.ts";
import { createSealer } from "../../src/cluster/sealing.ts";
import { signalRecords } from "../../src/cluster/signal-records.ts";
import { systemDeps } from "../../src/deps.ts";
import { CodexlbError } from "../../src/errors.ts";
import { until } from "../support/pool.ts";
import { startRedis, whyNoRedis } from "../support/redis.ts";

const open = (url: string, pool = "team"): Engine & Disposable => {
  const engine = createEngine({ url, pool, deps: systemDeps() });
  return { ...engine, [Symbol.dispose]: engine.close };
};

const IGNORED = { connected: () => {}, changed: () => {}, signalled: () => {}, subscribed: () => {} };

/** The arguments of `open` that create a pool with the identity `identity`. */
const NEW_POOL = ["id", "check", 0, "", "identity"] as const;

async function problem(asked: Promise<unknown>): Promise<string> {
  return asked.then(
    () => "none",
    (error) =>
      error instanceof CodexlbError ? `${error.code}: ${error.message}; ${error.next}` : String(error),
  );
}

const info = (more: string) => readInfo(`# Server\r\nrun_id:x\r\nuptime_in_seconds:5\r\n${more}`);
const problems = (more: string) => info(more).problems.map(({ severity, what }) => `${severity}: ${what}`);

describe("an engine", () => {
  test("can be used if it is new enough, keeps its data, and is the primary", () => {
    const good = "maxmemory_policy:noeviction\r\naof_enabled:1\r\nrole:master\r\n";
    expect(info(`redis_version:6.2.0\r\n${good}`)).toEqual({
      product: "Redis 6.2.0",
      runId: "x",
      uptimeMs: 5_000,
      problems: [],
    });
    expect(info(`redis_version:7.2.4\r\nvalkey_version:8.0.1\r\n${good}`).product).toBe("Valkey 8.0.1");
    expect(problems(`redis_version:6.0.16\r\n${good}`)).toEqual(["bad: Redis 6.0.16 is too old"]);
    expect(problems(good)).toEqual(["bad: Redis of an unknown version is too old"]);
    expect(problems("redis_version:7.0.0\r\nmaxmemory_policy:allkeys-lru\r\nrole:slave\r\n")).toEqual([
      "bad: the server is a copy of another one and accepts no writes",
      "bad: the server removes data when its memory is full (maxmemory-policy allkeys-lru)",
    ]);
    expect(problems("redis_version:7.0.0\r\naof_enabled:0\r\n")).toEqual([
      "warning: the server may lose the last changes when it is killed, because its append-only file is off",
    ]);
  });
});

describe.skipIf(whyNoRedis !== undefined)("the connection to an engine", () => {
  test("works over TCP and over a unix socket, and announces changes", async () => {
    await using redis = await startRedis();
    using one = open(redis.tcpUrl);
    using two = open(redis.url);
    await Promise.all([one.connected(5_000), two.connected(5_000)]);
    let changes = 0;
    two.watch({ ...IGNORED, changed: () => changes++ });
    await until("the channel has a subscriber", async () => (await redis.cli("PUBSUB", "CHANNELS")) !== "");
    await one.run("open", ...NEW_POOL);
    expect(await one.run("put", "tag", 0, 1, "text", "", "{codexlb:team}:changes", "identity")).toEqual([
      1, 1,
    ]);
    await until("the change is announced", () => changes === 1);
    expect(await two.run("records", "tag", "other")).toEqual(["1", "text", "0", ""]);
    expect((await two.info()).product).toStartWith("Redis 7");
  });

  test("fails at once without a server, and comes back with its subscription", async () => {
    await using redis = await startRedis();
    using engine = open(redis.url);
    await engine.connected(5_000);
    let connects = 0;
    let changes = 0;
    engine.watch({ ...IGNORED, connected: () => connects++, changed: () => changes++ });
    expect(connects).toBe(1);
    await redis.kill();
    await until("the loss is noticed", async () =>
      (await problem(engine.run("generations"))).startsWith("cluster_unreachable: contacting unix://"),
    );
    await redis.restart();
    await until("the engine is connected again", () => connects === 2, 15_000);
    await until(
      "the channel has a subscriber",
      async () => (await redis.cli("PUBSUB", "CHANNELS")) !== "",
      15_000,
    );
    await engine.run("open", ...NEW_POOL);
    await engine.run("put", "tag", 0, 1, "text", "", "{codexlb:team}:changes", "identity");
    await until("the change is announced", () => changes === 1);
  });

  test("gives a frozen server two seconds per command, and continues afterwards", async () => {
    await using redis = await startRedis();
    using engine = open(redis.url);
    await engine.connected(5_000);
    process.kill(redis.pid, "SIGSTOP");
    expect(await problem(engine.run("generations"))).toContain("no answer within 2000 ms");
    process.kill(redis.pid, "SIGCONT");
    await until("it answers again", async () => (await problem(engine.run("generations"))) === "none");
  });

  test("names a wrong password, a missing right and full memory, without showing the password", async () => {
    await using redis = await startRedis(["--requirepass", "s3cret"]);
    const wrong = redis.tcpUrl.replace("redis://", "redis://:wr0ng@");
    using engine = open(wrong);
    const said = await problem(engine.connected(2_000));
    expect(said).toContain(
      "the user or the password is wrong; correct the user and the password in cluster.url",
    );
    expect(said).not.toContain("wr0ng");
    using none = open(redis.tcpUrl);
    expect(await problem(none.connected(2_000))).toContain("the server requires a password");
    using right = open(redis.tcpUrl.replace("redis://", "redis://:s3cret@"));
    await right.connected(5_000);
    await right.run("open", ...NEW_POOL);
    await redis.cli("-a", "s3cret", "ACL", "SETUSER", "weak", "on", ">weak", "~*", "&*", "+@all", "-hset");
    using weak = open(redis.tcpUrl.replace("redis://", "redis://weak:weak@"));
    await weak.connected(5_000);
    expect(await problem(weak.run("put", "tag", 0, 1, "text", "", "c", "identity"))).toContain(
      "the user lacks a right that codexlb needs",
    );
    await redis.cli(
      ...["-a", "s3cret", "ACL", "SETUSER", "team", "on", ">team", "~{codexlb:team}:*", "&*", "+@all"],
    );
    using misspelt = open(redis.tcpUrl.replace("redis://", "redis://team:team@"), "taem");
    await misspelt.connected(5_000);
    expect(await problem(misspelt.run("generations"))).toEndWith(
      ": the user lacks a right that codexlb needs for the pool taem, whose keys are {codexlb:taem}:*; check that cluster.pool is not misspelt, and give the user the rights in docs/cluster.md, section Server",
    );
    await redis.cli("-a", "s3cret", "CONFIG", "SET", "maxmemory", "1");
    expect(await problem(right.run("put", "tag", 0, 1, "text", "", "c", "identity"))).toContain(
      "the memory of the server is full",
    );
  });

  test("is not made to another database than the one of its URL", async () => {
    await using redis = await startRedis();
    await redis.cli("ACL", "SETUSER", "bound", "on", ">bound", "~*", "&*", "+@all", "-select");
    const bound = redis.tcpUrl.replace("redis://", "redis://bound:bound@");
    for (const url of [`${redis.tcpUrl}/99`, `${redis.url}?db=99`, `${bound}/5`]) {
      using engine = open(url);
      expect(await problem(engine.connected(1_000))).toMatch(
        /^cluster_refused: using .*: the server refuses the database that cluster.url names .*correct the database/,
      );
      expect(await problem(engine.run("open", ...NEW_POOL))).toStartWith("cluster_refused: ");
    }
    expect(await redis.cli("DBSIZE")).toBe("0");
    for (const url of [`${redis.tcpUrl}/5`, bound]) {
      using engine = open(url);
      await engine.connected(5_000);
      await engine.run("open", ...NEW_POOL);
    }
    const keyspace = await redis.cli("INFO", "keyspace");
    expect([keyspace.includes("db0:keys=1"), keyspace.includes("db5:keys=1")]).toEqual([true, true]);
  });
});

test("another program at the address of the engine is named as such", async () => {
  await using web = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("hello") });
  const url = `redis://127.0.0.1:${web.port}`;
  using engine = open(url);
  expect(await problem(engine.connected(1_000))).toBe(
    `cluster_unreachable: contacting ${url}: the program there does not speak the protocol of Redis; check that cluster.url in config.toml has the host and the port of a Redis or Valkey server`,
  );
});

test("the rights in docs/cluster.md include every command of the scripts", async () => {
  const page = await Bun.file(join(import.meta.dir, "..", "..", "docs", "cluster.md")).text();
  const rights = (/^user codexlb .*$/m.exec(page)?.[0] ?? "").split(" ");
  const used = SCRIPTS.flatMap(([, lua]) =>
    [...lua.matchAll(/redis\.p?call\('(\w+)'/g)].map(([, name = ""]) => name),
  );
  expect(used.length).toBeGreaterThan(50);
  expect([...new Set(used)].filter((name) => !rights.includes(`+${name.toLowerCase()}`))).toEqual([]);
});

test.skipIf(whyNoRedis !== undefined)("the rights in docs/cluster.md are enough", async () => {
  const page = await Bun.file(join(import.meta.dir, "..", "..", "docs", "cluster.md")).text();
  const line = /^user codexlb .*$/m.exec(page)?.[0] ?? "";
  await using redis = await startRedis();
  expect(await redis.cli("ACL", "SETUSER", ...line.split(" ").slice(1))).toBe("OK");
  const deps = systemDeps();
  const url = redis.tcpUrl.replace("redis://", "redis://codexlb:PASSWORD@");
  using engine = open(url);
  await engine.connected(5_000);
  let changes = 0;
  const messages: string[] = [];
  engine.watch({ ...IGNORED, changed: () => changes++, signalled: (message) => messages.push(message) });
  await until("the channel has a subscriber", async () => (await redis.cli("PUBSUB", "CHANNELS")) !== "");
  const sealer = createSealer(new Uint8Array(32), "team", deps.random);
  const records = poolRecords(engine, sealer, "team");
  const { runId } = await engine.info();
  expect(await records.find(runId)).toBeUndefined();
  expect(await records.create("id", runId, false)).toBe("id");
  expect(await records.find(runId)).toBe("id");
  const about = { name: "n", version: "v" };
  expect(await records.poll("r", about, { processId: "p", isFirst: true })).toEqual({
    poolId: "id",
    revision: "0",
    signals: { epoch: "0", revision: 0 },
    engineMs: expect.any(Number),
    sentRecords: "0",
    isDuplicate: false,
    members: [{ id: "r", about, agoMs: 0 }],
  });
  expect(await records.lease("p", ["job"])).toEqual([true]);
  await records.release("p", ["job"]);
  expect(await records.put({ name: "pin", value: "x" }, 0, 1)).toBe(true);
  const tag = sealer.tagOf("pin");
  expect(await records.generations()).toEqual(new Map([[tag, 1]]));
  const by = { replica: "r", processId: "p", leaseMs: 1_000, takesOver: false };
  expect(await records.begin("pin", 1, by)).toEqual({ kind: "yours", fence: "1", lost: "" });
  await records.finish("pin", "1", undefined);
  expect((await records.members()).map(({ id, about }) => [id, about.name])).toEqual([["r", "n"]]);
  const signals = signalRecords(engine, "team");
  const signal = { tag: "tag", atMs: 1, sealed: "text" };
  await signals.send("r", [
    { ...signal, lifetimeMs: 60_000 },
    { ...signal, tag: "ended", lifetimeMs: -1 },
  ]);
  const found = { ...signal, endsMs: expect.any(Number), replica: "r" };
  expect(await signals.after(0)).toMatchObject({ revision: 2, completeTo: 2, records: [found] });
  expect(await signals.find("tag")).toEqual(found);
  await signals.send("r", []);
  expect(await redis.cli("ZRANGE", "{codexlb:team}:signal_ends", "0", "-1")).toBe("tag");
  await until("the signals arrive", () => messages.length === 1);
  expect(signals.parse(messages[0]!)).toMatchObject({ revision: 2, count: 2, records: [found, {}] });
  await records.stop("r", { ...about, stopped: true }, "p");
  await until("the stop is announced", () => changes === 2);
  const next = createSealer(new Uint8Array(32).fill(1), "team", deps.random);
  expect(await records.rekey("id", next)).toBe("done");
  expect(await records.leave("r", false)).toBe("last");
  expect(await records.leave("r", true)).toBe("left");
  await until("the new key is announced", () => changes === 3);
  const other = poolRecords(engine, createSealer(new Uint8Array(32), "other", deps.random), "team");
  expect(await problem(other.find())).toContain("the key does not open the pool team");
});

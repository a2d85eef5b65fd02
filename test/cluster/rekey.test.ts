// The change of a pool's key: between replicas that have the new key and those that do not, and after a kill at each
// point.

import { describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createEngine } from "../../src/cluster/engine.ts";
import { adoptNextPoolKey, createNextPoolKey } from "../../src/cluster/key.ts";
import { createKeyring } from "../../src/cluster/keyring.ts";
import { poolRecords } from "../../src/cluster/pool-records.ts";
import { createSealer } from "../../src/cluster/sealing.ts";
import { systemDeps } from "../../src/deps.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { outcome } from "../support/outcome.ts";
import { until } from "../support/pool.ts";
import { startRedis, whyNoRedis } from "../support/redis.ts";
import { done, type Replica, startReplicas } from "../support/replicas.ts";
import { tempDirectory } from "../support/temp.ts";

const PATIENCE_MS = 60_000;

const hello = ({ url }: Replica) => createSseClient(url, crypto.randomUUID()).turn("hello");

interface Answer {
  readonly cluster: { readonly degraded_since_ms?: number; readonly error?: string };
}
const clusterOf = async ({ url }: Replica) =>
  ((await (await fetch(`${url}/status`)).json()) as Answer).cluster;

describe.skipIf(whyNoRedis !== undefined)("codexlb cluster rekey", () => {
  test("gives all running replicas the new key, without a restart, and the old key opens nothing", async () => {
    await using pool = await startReplicas({ aliases: ["alice", "bob"] });
    const [a, b, c] = pool.list as [Replica, Replica, Replica];
    const keyFile = join(pool.tool.directory, "pool.key");
    const before = readFileSync(keyFile, "utf8");
    const dump = () => pool.redis.cli("HGETALL", "{codexlb:default}:records");
    const old = (await dump()).split("\n");
    const { out, err } = await done(a.run("cluster", "rekey"));
    expect(err).toBe(`codexlb: created the next key ${keyFile}.next\n`);
    expect(out).toBe(`the pool default with 2 accounts and 0 keys has a new key, in ${keyFile}\n`);
    expect(readFileSync(keyFile, "utf8")).not.toBe(before);
    expect(existsSync(`${keyFile}.next`)).toBe(false);
    expect((await dump()).split("\n").filter((line) => old.includes(line))).toEqual([]);
    await done(b.run("account", "pin", "bob"));
    await until(
      "all replicas have the pin",
      async () => (await Promise.all(pool.list.map(hello))).every((text) => text === "Hello from bob"),
      PATIENCE_MS,
    );
    for (const replica of pool.list) expect((await clusterOf(replica)).error).toBeUndefined();
    const refused = await c.run("cluster", "status");
    expect(refused.code).toBe(0);
    const fresh = ["cluster", "join", "--root", join(pool.tool.directory, "fresh")];
    const joined = await pool.tool.run(fresh, { ...pool.env, CODEXLB_CLUSTER_KEY: before.trim() });
    expect([joined.code, joined.err]).toEqual([
      1,
      expect.stringContaining("the key does not open the pool default"),
    ]);
  }, 120_000);

  test("waits for a replica without the next key, and names it; with --now the replica serves, and continues once it has the key", async () => {
    await using pool = await startReplicas({ aliases: ["alice"], count: 2 });
    const [a, b] = pool.list as [Replica, Replica];
    const keyFile = join(pool.tool.directory, "pool.key");
    const elsewhere = join(pool.tool.directory, "elsewhere.key");
    copyFileSync(keyFile, elsewhere);
    await b.stop();
    const args = [
      "proxy",
      "--root",
      b.layout.root,
      "--listen",
      "127.0.0.1:0",
      "--upstream",
      pool.mock.baseUrl,
    ];
    const proxy = await pool.tool.start(args, { ...pool.env, CODEXLB_CLUSTER_KEY_FILE: elsewhere });
    const url = /listening on (http:\S+)/.exec(proxy.firstLine)?.[1] ?? "";
    const other = { ...b, url };
    const asked = await a.run("cluster", "rekey");
    const { replica: id } = JSON.parse(readFileSync(b.layout.cluster, "utf8")) as { replica: string };
    const name = /^name = "(.*)"$/m.exec(readFileSync(b.layout.config, "utf8"))?.[1];
    expect([asked.code, asked.err]).toEqual([
      1,
      expect.stringMatching(
        new RegExp(
          `these replicas do not have the next key: ${name} \\(${id}\\)\n.*copy \\S+pool\\.key\\.next to each`,
        ),
      ),
    ]);
    expect((await clusterOf(other)).error).toBeUndefined();
    const changed = await done(a.run("cluster", "rekey", "--now"));
    expect(changed.err).toBe(
      `codexlb: warning: these replicas have not reported the next key: ${name} (${id}); they renew no login until their key file has it\n`,
    );
    await until(
      "the replica without the key says so",
      async () => (await clusterOf(other)).error?.includes("the key does not open the pool") === true,
      PATIENCE_MS,
    );
    expect(await hello(other)).toBe("Hello from alice");
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const count = await pool.redis.cli("HLEN", "{codexlb:default}:generations");
    expect(count).toBe("4");
    writeFileSync(elsewhere, readFileSync(keyFile), { mode: 0o600 });
    await until(
      "the replica uses the new key",
      async () => (await clusterOf(other)).error === undefined,
      PATIENCE_MS,
    );
    expect(await pool.redis.cli("HLEN", "{codexlb:default}:generations")).toBe(count);
    await proxy.stop();
  }, 180_000);

  test("says why a replica does not use its file of the next key, and names replicas that are not connected", async () => {
    await using pool = await startReplicas({ aliases: ["alice"], count: 2 });
    const [a, b] = pool.list as [Replica, Replica];
    const keyFile = join(pool.tool.directory, "pool.key");
    const elsewhere = join(pool.tool.directory, "elsewhere.key");
    copyFileSync(keyFile, elsewhere);
    await b.stop();
    await b.start({ CODEXLB_CLUSTER_KEY_FILE: elsewhere });
    writeFileSync(`${elsewhere}.next`, Buffer.alloc(32, 7).toString("base64"), { mode: 0o600 });
    const refusal = async () => {
      const { code, err } = await a.run("cluster", "rekey");
      expect(code).toBe(1);
      return err;
    };
    expect(await refusal()).toContain("): it has a different next key\n");
    copyFileSync(`${keyFile}.next`, `${elsewhere}.next`);
    chmodSync(`${elsewhere}.next`, 0o644);
    expect(await refusal()).toContain(
      `): other users can access the cluster's key in ${elsewhere}.next; run: chmod 600 ${elsewhere}.next\n`,
    );
    await b.stop();
    const { out, err } = await done(a.run("cluster", "rekey", "--now"));
    expect(err).toMatch(/have not reported the next key: \S+ \(\w+, not connected\): other users can access/);
    expect(out).toContain("has a new key");
    // Without the server there is nothing to distribute.
    await pool.redis.kill();
    expect(await refusal()).toContain("connection refused");
    expect(existsSync(`${keyFile}.next`)).toBe(false);
  }, 120_000);

  test("can be killed at any point: the pool opens with the key files that exist, and running it again finishes", async () => {
    await using redis = await startRedis();
    using temp = tempDirectory();
    const deps = systemDeps();
    const place = { env: {}, keyFile: join(temp.path, "pool.key") };
    writeFileSync(place.keyFile, Buffer.alloc(32, 1).toString("base64"), { mode: 0o600 });
    const engine = createEngine({ url: redis.url, pool: "team", deps });
    await engine.connected(5_000);
    const open = () => {
      const keyring = createKeyring(place, "team", deps.random);
      return { keyring, records: poolRecords(engine, keyring.sealer, "team", keyring.use) };
    };
    const first = open();
    await first.records.create("id", "", false);
    const facts = ["login/alice", "pin", "key/laptop"].map((name) => ({ name, value: `value of ${name}` }));
    for (const fact of facts) await first.records.put(fact, 0, 7);
    await first.records.put({ name: "login/removed", value: null }, 0, 3);
    const by = { replica: "r", processId: "p", leaseMs: 0, takesOver: true };
    const turn = await first.records.begin("login/alice", 7, by);
    if (turn.kind !== "yours") throw new Error(turn.kind);
    await first.records.finish("login/alice", turn.fence, "invalid-grant");
    const isWhole = async () => {
      const { records, keyring } = open();
      expect(await records.find()).toBe("id");
      for (const fact of facts) {
        const tag = keyring.sealer.tagOf(fact.name);
        expect((await records.records([tag])).get(tag)).toEqual({
          generation: 7,
          opened: { kind: "fact", fact },
        });
      }
      expect((await records.generations()).size).toBe(4);
      // A login that has ended is not renewed under another name.
      expect(await records.begin("login/alice", 7, by)).toEqual({ kind: "dead", reason: "invalid-grant" });
      return keyring.sealer.keyId;
    };
    const oldId = await isWhole();
    createNextPoolKey(place, deps.random);
    // Killed before the pool has the key.
    expect(await isWhole()).toBe(oldId);
    const { records, keyring } = open();
    await records.find();
    const next = keyring.next();
    if (next === undefined) throw new Error("no next key");
    createNextPoolKey(place, deps.random);
    expect(keyring.next()?.keyId).toBe(next.keyId);
    expect(await records.rekey("id", next)).toBe("done");
    // Killed before the key file was replaced.
    expect(await isWhole()).toBe(next.keyId);
    adoptNextPoolKey(place);
    adoptNextPoolKey(place);
    expect(await isWhole()).toBe(next.keyId);
    // A replica with the old key changes nothing.
    expect(await outcome(first.records.put({ name: "pin", value: "old" }, 7, 8))).toThrow(
      "its key was changed",
    );
    expect(await outcome(first.records.begin("login/alice", 7, by))).toThrow("its key was changed");
    const polled = first.records.poll("r", { name: "n", version: "v" }, { processId: "p", isFirst: true });
    expect((await polled).poolId).toBeUndefined();
    expect(await isWhole()).toBe(next.keyId);
    engine.close();
  }, 60_000);

  test("does nothing while a login is renewed, or if a fact has changed, or if one is of a later version", async () => {
    await using redis = await startRedis();
    const deps = systemDeps();
    const engine = createEngine({ url: redis.url, pool: "team", deps });
    await engine.connected(5_000);
    const sealer = createSealer(new Uint8Array(32), "team", deps.random);
    const next = createSealer(new Uint8Array(32).fill(1), "team", deps.random);
    const records = poolRecords(engine, sealer, "team");
    await records.create("id", "", false);
    await records.put({ name: "login/alice", value: "x" }, 0, 1);
    const by = { replica: "r", processId: "p", leaseMs: 60_000, takesOver: false };
    const turn = await records.begin("login/alice", 1, by);
    expect(turn.kind).toBe("yours");
    expect(await records.rekey("id", next)).toBe("renewing");
    await records.finish("login/alice", "1", undefined);
    const tag = sealer.tagOf("pin");
    const identity = await redis.cli("HGET", "{codexlb:team}:meta", "identity");
    const one = [sealer.tagOf("login/alice"), "new", 1, "sealed"];
    expect(await engine.run("rekey", identity, "check", "other", "c", ...one, tag, "new2", 1, "sealed")).toBe(
      "changed",
    );
    expect(await engine.run("rekey", identity, "check", "other", "c", one[0]!, "new", 2, "sealed")).toBe(
      "changed",
    );
    await engine.run("put", tag, 0, 1, "2.AAAA", "", "c", identity);
    expect(await outcome(records.rekey("id", next))).toThrow("records from a later version of codexlb");
    expect(await records.find()).toBe("id");
    engine.close();
  });
});

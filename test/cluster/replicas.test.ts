import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { createSseClient } from "../../src/mock/client.ts";
import { layoutOf } from "../../src/state/layout.ts";
import { until } from "../support/pool.ts";
import { whyNoRedis } from "../support/redis.ts";
import { done, type Replica, type Replicas, startReplicas } from "../support/replicas.ts";

/** What a proxy says about the pool while the engine is away. */
const ClusterAnswer = z.object({
  cluster: z.object({
    pool: z.string(),
    engine: z.string(),
    pending: z.number(),
    degraded_since_ms: z.number(),
    error: z.string(),
  }),
});

const ALIASES = ["alice", "bob@example.com"];
/** A comparison happens at least every five seconds, and an engine that was lost is found again within five. */
const RECONCILED_MS = 20_000;

const listed = async (replica: Replica): Promise<string[]> => {
  const { out } = await done(replica.run("account", "list", "--json"));
  const { accounts } = JSON.parse(out) as {
    accounts: {
      alias: string;
      enabled: boolean;
      codexlb: { pinned?: boolean; draining?: boolean; options: object };
    }[];
  };
  return accounts.map(({ alias, enabled, codexlb: { pinned, draining, options } }) =>
    [
      alias,
      enabled ? "" : "disabled",
      draining ? "draining" : "",
      pinned ? "pinned" : "",
      Object.keys(options).length === 0 ? "" : JSON.stringify(options),
    ]
      .filter((word) => word !== "")
      .join(" "),
  );
};

const keysOf = async (replica: Replica): Promise<string[]> => {
  const { out } = await done(replica.run("key", "list", "--json"));
  return (JSON.parse(out) as { keys: { name: string }[] }).keys.map(({ name }) => name);
};

/** Waits until all replicas have these accounts. */
const allHave = (pool: Replicas, accounts: readonly string[]) =>
  until(
    `all replicas have ${accounts.join(", ")}`,
    async () => {
      const lists = await Promise.all(pool.list.map(listed));
      return lists.every((list) => list.sort().join() === [...accounts].sort().join());
    },
    RECONCILED_MS,
  );

/** How many facts the engine has. */
const factCount = async ({ redis }: Replicas): Promise<number> =>
  Number(await redis.cli("HLEN", "{codexlb:default}:generations"));

const hello = async ({ url }: Replica): Promise<string> =>
  createSseClient(url, crypto.randomUUID()).turn("hello");

describe.skipIf(whyNoRedis !== undefined)("replicas of a pool", () => {
  test("have every change of an operator, whichever replica got it", async () => {
    await using pool = await startReplicas({ aliases: ALIASES });
    const [a, b, c] = pool.list as [Replica, Replica, Replica];
    await allHave(pool, ALIASES);
    await done(b.run("account", "pin", "alice"));
    await done(c.run("account", "disable", "bob@example.com"));
    await allHave(pool, ["alice pinned", "bob@example.com disabled"]);
    for (const replica of pool.list) expect(await hello(replica)).toBe("Hello from alice");
    await done(a.run("account", "unpin"));
    await done(a.run("account", "enable", "bob@example.com"));
    await done(b.run("account", "drain", "alice"));
    await done(c.run("account", "set", "alice", "--tag", "work", "--priority", "3"));
    await allHave(pool, ['alice draining {"priority":3,"tags":["work"]}', "bob@example.com"]);
    const { out } = await done(a.run("key", "add", "laptop"));
    await until("all replicas have the key", async () => (await keysOf(c)).includes("laptop"));
    const bearer = { authorization: `Bearer ${out.trim()}` };
    for (const { layout } of pool.list) expect(readFileSync(layout.keys, "utf8")).not.toContain(out.trim());
    expect((await fetch(`${c.url}/status`, { headers: bearer })).status).toBe(200);
    await done(b.run("key", "rm", "laptop"));
    await until("no replica has the key", async () => (await keysOf(a)).length === 0);
    await done(c.run("account", "rm", "bob@example.com"));
    await allHave(pool, ['alice draining {"priority":3,"tags":["work"]}']);
    for (const { layout } of pool.list) expect(readdirSync(layout.accounts)).toEqual(["alice"]);
    const { out: events } = await done(a.run("proxy", "logs", "--tail", "0"));
    expect(events).toMatch(
      /"account\.removed","fields":\{"account_id":"openai:bob@example\.com","by":"replica","replica":"proxy-\w+"\}/,
    );
  }, 120_000);

  test("accept the stubs of each other", async () => {
    await using pool = await startReplicas({
      aliases: ["alice"],
      count: 2,
      config: "[proxy]\nclient_auth = true\n",
    });
    const [a, b] = pool.list as [Replica, Replica];
    const secrets = pool.list.map(({ layout }) => readFileSync(layout.signingKey, "utf8"));
    expect(secrets[0]).toBe(secrets[1]!);
    const stub = await fetch("http://localhost/admin/runtime-auth", { unix: a.layout.adminSocket });
    const { auth } = (await stub.json()) as { auth: { tokens: { access_token: string } } };
    const headers = { authorization: `Bearer ${auth.tokens.access_token}` };
    expect((await fetch(`${b.url}/backend-api/wham/usage`, { headers })).status).toBe(200);
    expect((await fetch(`${b.url}/backend-api/wham/usage`)).status).toBe(401);
  }, 60_000);

  test("serve without the engine, keep what changes meanwhile, and send it when the engine is back", async () => {
    await using pool = await startReplicas({ aliases: ALIASES });
    const [a, b] = pool.list as [Replica, Replica];
    await pool.redis.kill();
    for (const replica of pool.list) expect(await hello(replica)).toStartWith("Hello from ");
    const { err } = await done(b.run("account", "pin", "alice"));
    expect(err).toMatch(
      /^codexlb: warning: 1 change was made on this replica only; the other replicas of default get it when the server can be used again: contacting unix:.*\n$/,
    );
    expect((await done(b.run("key", "add", "ci"))).err).toContain("2 changes were made on this replica only");
    const adminToken = readFileSync(b.layout.adminToken, "utf8").trim();
    const fromElsewhere = ["--proxy-url", b.url, "--admin-token", adminToken];
    const drained = await done(a.run("account", "drain", "bob@example.com", ...fromElsewhere));
    expect(drained.err).toStartWith(
      `codexlb: warning: 3 changes were made on the replica at ${b.url} only; the other replicas of default get them when the server can be used again: `,
    );
    expect((await a.run("cluster", "status")).err).toContain("connection refused");
    const stateOfB = async () =>
      ClusterAnswer.parse(
        await (await fetch("http://localhost/admin/cluster", { unix: b.layout.adminSocket })).json(),
      ).cluster;
    const first = await stateOfB();
    await until(
      "it says why the engine does not come back",
      async () => (await stateOfB()).error.includes("connection refused"),
      RECONCILED_MS,
    );
    expect(await stateOfB()).toEqual({ ...first, error: expect.stringContaining("connection refused") });
    expect(first).toMatchObject({ pool: "default", engine: pool.redis.url, pending: 3 });
    await pool.redis.restart();
    await allHave(pool, ["alice pinned", "bob@example.com draining"]);
    const enabled = await done(a.run("account", "enable", "bob@example.com", ...fromElsewhere));
    expect(enabled.err).toBe("");
    const { out } = await done(b.run("proxy", "logs", "--tail", "0"));
    expect(out).toContain("cluster.degraded");
    expect(out).toContain("cluster.recovered");
  }, 90_000);

  test("rebuild the pool in an engine that has lost everything, and nothing removed returns", async () => {
    await using pool = await startReplicas({ aliases: [...ALIASES, "carol"] });
    const [a, b] = pool.list as [Replica, Replica];
    await done(a.run("account", "rm", "carol"));
    await done(b.run("account", "disable", "alice"));
    await allHave(pool, ["alice disabled", "bob@example.com"]);
    await pool.redis.cli("FLUSHALL");
    await until(
      "the pool is there again",
      async () => JSON.parse((await a.run("cluster", "status", "--json")).out).accounts === 2,
      RECONCILED_MS,
    );
    await allHave(pool, ["alice disabled", "bob@example.com"]);
    const fresh = join(pool.tool.directory, "fresh");
    await done(pool.tool.run(["cluster", "join", "--root", fresh], pool.env));
    expect(readdirSync(join(fresh, "accounts")).sort()).toEqual(ALIASES);
  }, 90_000);

  test("write nothing into a pool that they cannot open, or that is not theirs", async () => {
    await using pool = await startReplicas({ aliases: ["alice"], count: 1 });
    const [a] = pool.list as [Replica];
    await until("the pool has all facts", async () => (await factCount(pool)) === 4);
    await a.stop();
    const startWith = async (env: Record<string, string>) => {
      const args = [
        "proxy",
        "--root",
        a.layout.root,
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        pool.mock.baseUrl,
      ];
      const proxy = await pool.tool.start(args, { ...pool.env, ...env });
      await until("it has looked twice", async () => {
        const { out } = await pool.tool.run(["proxy", "logs", "--root", a.layout.root]);
        return out.includes("cluster.degraded");
      });
      return (await proxy.stop()).err;
    };
    const wrong = { CODEXLB_CLUSTER_KEY: Buffer.alloc(32, 7).toString("base64") };
    expect(await startWith(wrong)).toContain("the key does not open the pool default");
    expect(await factCount(pool)).toBe(4);
    await pool.redis.cli("FLUSHALL");
    await done(
      pool.tool.run(["cluster", "init", "--empty", "--root", join(pool.tool.directory, "other")], pool.env),
    );
    expect(await factCount(pool)).toBe(2);
    expect(await startWith({})).toContain("is not the one that this root has joined");
    expect(await factCount(pool)).toBe(2);
  }, 60_000);

  test("are checked by doctor", async () => {
    await using pool = await startReplicas({ aliases: ["alice"], count: 1, engine: [] });
    const [a] = pool.list as [Replica];
    const findings = async (env: Record<string, string> = {}) => {
      const args = ["doctor", "--root", a.layout.root, "--codex-bin", "/nowhere", "--json"];
      const { out } = await pool.tool.run(args, { ...pool.env, ...env });
      return (JSON.parse(out) as { findings: { check: string; status: string; detail: string }[] }).findings
        .filter(({ check }) => ["cluster", "pool server"].includes(check))
        .map(({ check, status, detail }) => `${check}: ${status}: ${detail}`);
    };
    await pool.redis.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    const product = (await pool.redis.cli("INFO", "server")).match(/redis_version:(\S+)/)?.[1];
    expect(await findings()).toEqual([
      `pool server: bad: the server removes data when its memory is full (maxmemory-policy allkeys-lru)`,
      `pool server: warning: the server may lose the last changes when it is killed, because its append-only file is off`,
      `cluster: ok: default on ${pool.redis.url} (Redis ${product}), 1 replica`,
    ]);
    expect(await findings({ CODEXLB_CLUSTER_KEY: Buffer.alloc(32).toString("base64") })).toEqual([
      `cluster: bad: using ${pool.redis.url}: the key does not open the pool default`,
    ]);
    await pool.redis.kill();
    expect(await findings()).toEqual([`cluster: bad: contacting ${pool.redis.url}: connection refused`]);
  }, 60_000);

  test("restore an account whose directory was lost, and send what was changed while the proxy did not run", async () => {
    await using pool = await startReplicas({ aliases: ALIASES, count: 2 });
    const [a, b] = pool.list as [Replica, Replica];
    await a.stop();
    rmSync(join(a.layout.accounts, "alice"), { recursive: true });
    const { err } = await done(a.run("account", "rm", "bob@example.com"));
    expect(err).toContain("the other replicas of default get this change when the proxy of");
    await a.start();
    await allHave(pool, ["alice"]);
    expect(existsSync(join(a.layout.accounts, "alice", "auth.json"))).toBe(true);
    expect(readdirSync(b.layout.accounts)).toEqual(["alice"]);
  }, 60_000);

  test("can leave the pool, and copy it into a root that works alone", async () => {
    await using pool = await startReplicas({ aliases: ALIASES, count: 2 });
    const [a, b] = pool.list as [Replica, Replica];
    expect((await a.run("cluster", "leave")).err).toContain("another codexlb process is using");
    const copy = join(pool.tool.directory, "copy");
    const exported = await done(a.run("cluster", "export", copy));
    expect(exported.out).toBe(`copied the pool default with 2 accounts and 0 keys to ${copy}\n`);
    expect(exported.err).toContain("use either the copy or the pool");
    expect(existsSync(layoutOf(copy).cluster)).toBe(false);
    expect((await pool.tool.run(["account", "list", "--root", copy])).out).toContain(
      "alice@example.com\tready",
    );
    await a.stop();
    await done(a.run("cluster", "leave"));
    expect(readdirSync(a.layout.accounts)).toEqual([]);
    expect(existsSync(a.layout.cluster)).toBe(false);
    expect((await listed(b)).sort()).toEqual(ALIASES);
    expect((await a.run("proxy", "--listen", "127.0.0.1:0")).err).toContain(
      "has not joined the pool default",
    );
    await done(a.run("cluster", "join"));
    expect(readdirSync(a.layout.accounts).sort()).toEqual(ALIASES);
  }, 60_000);

  test("refuse another key, a second pool of the same name, and a root with accounts", async () => {
    await using pool = await startReplicas({ aliases: ["alice"], count: 1 });
    const [a] = pool.list as [Replica];
    const root = join(pool.tool.directory, "other");
    const other = { ...pool.env, CODEXLB_CLUSTER_KEY: Buffer.alloc(32, 7).toString("base64") };
    const joined = await pool.tool.run(["cluster", "join", "--root", root], other);
    expect([joined.code, joined.err]).toEqual([
      1,
      expect.stringContaining("the key does not open the pool default"),
    ]);
    const made = await pool.tool.run(["cluster", "init", "--empty", "--root", root], pool.env);
    expect([made.code, made.err]).toEqual([
      1,
      expect.stringContaining("the pool default exists already on unix://"),
    ]);
    const home = join(a.layout.accounts, "alice");
    await done(pool.tool.run(["account", "import", "--root", root, "--from", home, "mine"]));
    const own = await pool.tool.run(["cluster", "join", "--root", root], pool.env);
    expect([own.code, own.err]).toEqual([1, expect.stringContaining("has its own accounts (mine)")]);
    const alone = await pool.tool.run(["proxy", "--root", a.layout.root, "--listen", "127.0.0.1:0"]);
    expect([alone.code, alone.err]).toEqual([1, expect.stringMatching(/another codexlb|already/)]);
    await a.stop();
    const unset = await pool.tool.run(["proxy", "--root", a.layout.root, "--listen", "127.0.0.1:0"]);
    expect([unset.code, unset.err]).toEqual([1, expect.stringContaining("but cluster.url is not set")]);
    expect(statSync(a.layout.cluster).mode & 0o777).toBe(0o600);
  }, 60_000);
});

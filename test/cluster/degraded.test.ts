// What a replica shows of itself while it has the server of its pool, and while it is without it.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { readSecret } from "../../src/auth/secrets.ts";
import { degradedNote, degradedWords, replicaWords } from "../../src/core/cluster-words.ts";
import { StatusAnswer } from "../../src/core/status-schema.ts";
import { until } from "../support/pool.ts";
import { whyNoRedis } from "../support/redis.ts";
import { done, type Replica, startReplicas } from "../support/replicas.ts";
import { samplesIn, scrape, sumOf } from "../support/scrape.ts";

const PATIENCE_MS = 60_000;

const metricsOf = async ({ url, layout }: Replica) =>
  samplesIn(await scrape(url, readSecret(layout.adminToken) ?? ""));

describe.skipIf(whyNoRedis !== undefined)("a replica", () => {
  test("without the server of its pool says since when, in every view", async () => {
    await using pool = await startReplicas({ aliases: ["alice"], count: 1 });
    const [a] = pool.list as [Replica];
    const cluster = async () => StatusAnswer.parse(await (await fetch(`${a.url}/status`)).json()).cluster;
    const id = expect.any(String);
    expect(await cluster()).toEqual({
      pool: "default",
      replica: id,
      pending: 0,
      replicas: [
        {
          ...{ id, name: expect.any(String), version: expect.any(String), last_seen_ms: expect.any(Number) },
          connected: true,
        },
      ],
    });
    expect((await fetch(`${a.url}/readyz`)).status).toBe(200);
    expect((await done(a.run("status", "--short"))).out).not.toContain("degraded");
    const value = (name: string) => async () => sumOf(await metricsOf(a), name);
    expect(await value("codexlb_cluster_connected")()).toBe(1);
    expect(await value("codexlb_cluster_degraded_seconds")()).toBe(0);
    await pool.redis.kill();
    await until(
      "the replica has noticed",
      async () => (await cluster())?.degraded_since_ms !== undefined,
      PATIENCE_MS,
    );
    const sinceMs = (await cluster())?.degraded_since_ms ?? 0;
    expect((await cluster())?.error).toContain(pool.redis.url);
    expect((await done(a.run("status", "--short"))).out).toEndWith(
      ` degraded_since=${new Date(sinceMs).toISOString()}\n`,
    );
    const table = await done(a.run("status"));
    expect(table.out).toContain("alice");
    expect(table.err).toContain("pool default: degraded since ");
    const { out } = await a.run("doctor", "--codex-bin", "/nowhere", "--json");
    const { findings } = JSON.parse(out) as { findings: { check: string; status: string; detail: string }[] };
    expect(findings.filter(({ check }) => check === "replica")).toEqual([
      expect.objectContaining({
        status: "warning",
        detail: expect.stringMatching(/^pool default: degraded since .*renews no login$/),
      }),
    ]);
    await done(a.run("account", "pin", "alice"));
    const shown = await a.run("cluster", "status");
    expect(shown.out).toStartWith(`server   ${pool.redis.url}\npool     default: cannot be read\nreplica  `);
    expect(shown.out).toMatch(/, degraded for .*, 1 change to send: contacting unix:/);
    expect([shown.code, shown.err]).toEqual([1, expect.stringContaining(`contacting ${pool.redis.url}: `)]);
    const json = await a.run("cluster", "status", "--json");
    expect([json.code, JSON.parse(json.out)]).toEqual([
      1,
      {
        ...{ pool: "default", engine: pool.redis.url, error: expect.any(String), replica: id, pending: 1 },
        proxy: {
          ...{ pool: "default", pending: 1, degraded_since_ms: sinceMs, error: expect.any(String) },
          error_code: "cluster_unreachable",
        },
      },
    ]);
    expect(await value("codexlb_cluster_connected")()).toBe(0);
    expect(await value("codexlb_cluster_degraded_seconds")()).toBeGreaterThan(0);
    expect(await value("codexlb_cluster_pending_changes")()).toBe(1);
    expect(
      sumOf(await metricsOf(a), "codexlb_cluster_comparisons_total", { result: "failed" }),
    ).toBeGreaterThan(0);
    // It has read the pool once, and still serves.
    expect((await fetch(`${a.url}/readyz`)).status).toBe(200);
  }, 120_000);

  test("that starts without the server of its pool serves, but is not ready until it has read the pool", async () => {
    await using pool = await startReplicas({ aliases: ["alice"], count: 1 });
    const [a] = pool.list as [Replica];
    await a.stop();
    await pool.redis.kill();
    await a.start();
    const answer = await fetch(`${a.url}/readyz`);
    expect([answer.status, await answer.json()]).toEqual([
      503,
      {
        ok: false,
        reason: "pool_unread",
        message: expect.stringContaining("the pool default has not been read yet: contacting unix://"),
      },
    ]);
    expect((await fetch(`${a.url}/healthz`)).status).toBe(200);
    await pool.redis.restart();
    await until("it is ready", async () => (await fetch(`${a.url}/readyz`)).status === 200, PATIENCE_MS);
  }, 120_000);

  test("that was stopped is shown as stopped immediately, and does not count for limits; one that was killed is shown as not connected", async () => {
    await using pool = await startReplicas({ aliases: ["alice"] });
    const [a, b, c] = pool.list as [Replica, Replica, Replica];
    const idOf = ({ layout }: Replica): string => JSON.parse(readFileSync(layout.cluster, "utf8")).replica;
    const counted = (): number => JSON.parse(readFileSync(a.layout.cluster, "utf8")).replicas;
    const stateOf = async (replica: Replica) => {
      const { out } = await done(a.run("cluster", "status"));
      return new RegExp(`^${idOf(replica)} .*?(connected|stopped|last seen)`, "m").exec(out)?.[1];
    };
    const seen = async (replica: Replica) => {
      const { cluster } = StatusAnswer.parse(await (await fetch(`${a.url}/status`)).json());
      return cluster?.replicas?.find(({ id }) => id === idOf(replica));
    };
    await until("the first replica counts all", () => counted() === 3, PATIENCE_MS);
    await b.stop();
    expect(await stateOf(b)).toBe("stopped");
    await until(
      "the first replica has noticed",
      async () => {
        const found = await seen(b);
        return found?.stopped === true && found.connected === false;
      },
      PATIENCE_MS,
    );
    await until("it counts two", () => counted() === 2, PATIENCE_MS);
    process.kill(c.pid, "SIGKILL");
    await until(
      "the first replica misses the killed one",
      async () => (await seen(c))?.connected === false,
      PATIENCE_MS,
    );
    expect((await seen(c))?.stopped).toBeUndefined();
    expect(await stateOf(c)).toBe("last seen");
    // It may be back at any time, so its share of the limits is kept.
    expect(counted()).toBe(2);
    await b.start();
    expect(await stateOf(b)).toBe("connected");
    await until("it counts all again", () => counted() === 3, PATIENCE_MS);
  }, 120_000);

  test("counts renewals by who sent the refresh token", async () => {
    // Shorter than the time ahead of which logins are renewed, so a replica renews at its start.
    await using pool = await startReplicas({ aliases: ["alice"], count: 2, tokenSeconds: 300 });
    const renewals = async (by: string) => {
      const samples = await Promise.all(pool.list.map(metricsOf));
      return samples.map((one) => sumOf(one, "codexlb_cluster_renewals_total", { outcome: "renewed", by }));
    };
    await until(
      "each replica has renewed or got a login",
      async () => {
        const [own, others] = [await renewals("self"), await renewals("replica")];
        return own.every((count, index) => count + (others[index] ?? 0) > 0);
      },
      PATIENCE_MS,
    );
    // A renewal may be under way, so both are read until they agree.
    await until(
      "the replicas have counted every refresh token that was sent",
      async () => {
        const own = (await renewals("self")).reduce((sum, count) => sum + count, 0);
        return own > 0 && own === pool.mock.requests.filter(({ point }) => point === "token").length;
      },
      PATIENCE_MS,
    );
  }, 120_000);
});

test("the words for a replica without its server name the pool and the time", () => {
  const nowMs = Date.parse("2026-03-18T12:00:00");
  const words = (sinceMs: number | undefined) =>
    degradedWords(
      { cluster: { pool: "team", replica: "r", pending: 0, degraded_since_ms: sinceMs, error: "gone" } },
      nowMs,
    );
  expect(words(undefined)).toBeUndefined();
  expect(words(nowMs - 60_000)).toBe("pool team: degraded since 11:59:00");
  expect(words(nowMs - 2 * 24 * 3_600_000)).toBe("pool team: degraded since 16 Mar 12:00");
  expect(degradedWords({}, nowMs)).toBeUndefined();
});

test("the note about a replica that another process has replaced says so", () => {
  const nowMs = Date.parse("2026-03-18T12:00:00");
  const about = { pool: "team", replica: "r", pending: 0, degraded_since_ms: nowMs, error: "no" };
  const note = (error_code?: string) =>
    degradedNote({ cluster: error_code === undefined ? about : { ...about, error_code } }, nowMs);
  expect(note()).toBe("pool team: degraded since 12:00:00");
  expect(note("cluster_unreachable")).toBe("pool team: degraded since 12:00:00");
  expect(note("same_replica_twice")).toBe(
    "pool team: degraded since 12:00:00: another process is connected as this replica",
  );
});

test("the words for replicas begin with this one, and say which are connected", () => {
  const nowMs = Date.parse("2026-03-18T12:00:00");
  const about = (id: string, name: string, agoMs: number) => ({
    ...{ id, name, version: "1", last_seen_ms: nowMs - agoMs },
  });
  const replicas = [about("1", "mini", 240_000), about("2", "edge", 2_000), about("3", "lab", 4_000)];
  const words = (more: object) =>
    replicaWords({ cluster: { pool: "team", replica: "3", pending: 0, replicas, ...more } }, nowMs).map(
      ({ name, state, isConnected }) => `${name}: ${state}${isConnected ? "" : " (not connected)"}`,
    );
  expect(words({})).toEqual([
    "lab: connected, this replica",
    "edge: connected",
    "mini: last seen 4 min ago (not connected)",
  ]);
  expect(words({ degraded_since_ms: nowMs - 60_000 })).toEqual([
    "lab: degraded since 11:59:00, this replica (not connected)",
    "edge: last seen a moment ago (not connected)",
    "mini: last seen 4 min ago (not connected)",
  ]);
  const more = { degraded_since_ms: nowMs - 60_000, error_code: "same_replica_twice" };
  expect(words(more)).toEqual([
    "lab: degraded since 11:59:00: another process is connected as this replica (not connected)",
    "edge: connected",
    "mini: last seen 4 min ago (not connected)",
  ]);
  // What the replica says of the others counts, not how old the status is.
  const reported = [
    { ...about("1", "edge", 20_000), connected: true },
    { ...about("2", "mini", 9_000), connected: false },
    { ...about("4", "tower", 120_000), connected: false, stopped: true },
  ];
  expect(words({ replicas: reported })).toEqual([
    "edge: connected",
    "mini: last seen a moment ago (not connected)",
    "tower: stopped 2 min ago (not connected)",
  ]);
  const long = about("1", `\u202e${"n".repeat(100)}`, 1_000);
  expect(words({ replicas: [long] })).toEqual([` ${"n".repeat(63)}...: connected`]);
  expect(replicaWords({}, nowMs)).toEqual([]);
});

// Two proxies with copies of one root. Both are the same replica, so only one of them may use the pool as that replica.

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readSecret } from "../../src/auth/secrets.ts";
import { StatusAnswer } from "../../src/core/status-schema.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { until } from "../support/pool.ts";
import { whyNoRedis } from "../support/redis.ts";
import { done, type Replica, type Replicas, startReplicas } from "../support/replicas.ts";
import { samplesIn, scrape, sumOf } from "../support/scrape.ts";

const PATIENCE_MS = 60_000;
const ROTATIONS = 200;
const ALIASES = Array.from({ length: 8 }, (_, index) => `a${index}`);
/** So short that each process renews a token that another one has renewed, before it uses it. */
const SHORT_SECONDS = 20;
/** Shorter than the time ahead of which logins are renewed, so each process wants to renew at its start. */
const AHEAD_SECONDS = 300;

const sentTokens = ({ mock }: Replicas): string[] =>
  mock.requests
    .filter(({ point }) => point === "token")
    .map(({ json }) => (json as { refresh_token: string }).refresh_token);

const tokenOf = ({ layout }: Replica): string =>
  JSON.parse(readFileSync(join(layout.accounts, "alice", "auth.json"), "utf8")).tokens.refresh_token;

const clusterOf = async ({ url }: Replica) =>
  StatusAnswer.parse(await (await fetch(`${url}/status`)).json()).cluster;

const codeOf = async (replica: Replica) => (await clusterOf(replica))?.error_code;

const isDegraded = (replica: Replica) =>
  until(
    "the older process has noticed the newer one",
    async () => (await codeOf(replica)) === "same_replica_twice",
    PATIENCE_MS,
  );

const isConnected = (replica: Replica) =>
  until("the process is connected", async () => (await codeOf(replica)) === undefined, PATIENCE_MS);

const hello = ({ url }: Replica, session: string = crypto.randomUUID()) =>
  createSseClient(url, session).turn("hello");

describe.skipIf(whyNoRedis !== undefined)("of two proxies with copies of one root", () => {
  test(`in ${ROTATIONS} renewals, none sends a refresh token that another one has sent, and no client notices`, async () => {
    await using pool = await startReplicas({ aliases: ALIASES, count: 2, tokenSeconds: SHORT_SECONDS });
    const [older, other] = pool.list as [Replica, Replica];
    const newer = pool.copyOf(older);
    await newer.start();
    let round = 0;
    const client = async (replica: Replica, name: string): Promise<void> => {
      while (sentTokens(pool).length < ROTATIONS)
        expect(await hello(replica, `${name}-${round++}`)).toStartWith("Hello from a");
    };
    const clients = [older, newer, other].flatMap((replica) => [
      client(replica, `${replica.url}-1`),
      client(replica, `${replica.url}-2`),
    ]);
    const noticed = async (): Promise<void> => {
      await until("tokens are sent", () => sentTokens(pool).length >= ROTATIONS / 4, PATIENCE_MS);
      await isDegraded(older);
    };
    await Promise.all([...clients, noticed()]);
    const ended = await Promise.all([older, newer, other].map((replica) => replica.stop()));
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0]);
    const sent = sentTokens(pool);
    expect(new Set(sent).size).toBe(sent.length);
    for (const { layout } of [older, newer, other])
      expect(readFileSync(layout.events, "utf8")).not.toContain("account.disabled");
  }, 300_000);

  test("the older one reports the problem in every view, serves, and is connected again when the newer one ends", async () => {
    await using pool = await startReplicas({ aliases: ["alice"], count: 2 });
    const [older, other] = pool.list as [Replica, Replica];
    const newer = pool.copyOf(older);
    await newer.start();
    await isDegraded(older);
    const what = "another process, probably on a copy of this root, is connected to the pool default";
    const next = "codexlb cluster leave && codexlb cluster join";
    const { error } = (await clusterOf(older)) ?? {};
    expect(error).toStartWith(what);
    expect(error).toEndWith(next);
    expect(await codeOf(newer)).toBeUndefined();
    expect((await older.run("status")).err).toContain(what);
    const shown = await older.run("cluster", "status");
    expect([shown.code, shown.err]).toEqual([1, ""]);
    expect(shown.out).toMatch(/, degraded for \d.*: another process, probably on a copy of this root/);
    const id = (await clusterOf(older))?.replica;
    const row = shown.out.split("\n").find((line) => line.startsWith(`${id} `));
    expect(row).toMatch(/ degraded since \S+: another process is connected as this replica$/);
    expect((await older.run("cluster", "status", "--json")).code).toBe(1);
    const { out } = await older.run("doctor", "--codex-bin", "/nowhere", "--json");
    const { findings } = JSON.parse(out) as { findings: { check: string; detail: string; remedy: string }[] };
    expect(findings.filter(({ check }) => check === "replica")).toEqual([
      expect.objectContaining({
        detail: expect.stringContaining(what),
        remedy: expect.stringContaining("let one of the two leave the pool"),
      }),
    ]);
    const samples = samplesIn(await scrape(older.url, readSecret(older.layout.adminToken) ?? ""));
    expect(sumOf(samples, "codexlb_cluster_duplicate")).toBe(1);
    expect(sumOf(samples, "codexlb_cluster_connected")).toBe(0);
    expect((await done(older.run("proxy", "logs", "--tail", "0"))).out).toContain(
      '"code":"same_replica_twice"',
    );
    for (const replica of [older, newer, other]) expect(await hello(replica)).toBe("Hello from alice");
    // Changes in the pool still reach it.
    await done(other.run("account", "pin", "alice"));
    await until(
      "the older one has the pin",
      async () => (await done(older.run("account", "list", "--json"))).out.includes('"pinned": true'),
      PATIENCE_MS,
    );
    expect((await newer.stop()).code).toBe(0);
    await isConnected(older);
    const samplesAfter = samplesIn(await scrape(older.url, readSecret(older.layout.adminToken) ?? ""));
    expect(sumOf(samplesAfter, "codexlb_cluster_duplicate")).toBe(0);
    const { err } = await older.stop();
    expect(err.replaceAll(/\s+/g, " ")).toContain(`the pool default cannot be used for now: ${what}`);
    expect(err).toContain("the pool default can be used again");
  }, 120_000);

  test("the newer one does not repeat a renewal of the older one that has not ended", async () => {
    await using pool = await startReplicas({
      aliases: ["alice"],
      count: 1,
      tokenSeconds: AHEAD_SECONDS,
      faults: [{ on: "token", delayMs: 5_000, times: 1 }],
    });
    const [older] = pool.list as [Replica];
    await until("the older one has sent a token", () => sentTokens(pool).length === 1, PATIENCE_MS);
    const [token] = sentTokens(pool);
    const newer = pool.copyOf(older);
    await newer.start();
    await until(
      "both have a new login",
      () => [older, newer].every((replica) => tokenOf(replica) !== token),
      PATIENCE_MS,
    );
    for (const replica of [older, newer]) {
      expect(await hello(replica)).toBe("Hello from alice");
      await replica.stop();
    }
    expect(new Set(sentTokens(pool)).size).toBe(sentTokens(pool).length);
    expect(pool.mock.accounts.isLive(tokenOf(newer))).toBe(true);
  }, 120_000);

  test("the newer one, if killed during a renewal, repeats it immediately when it starts again; the older one does not", async () => {
    await using pool = await startReplicas({
      aliases: ["alice"],
      count: 1,
      tokenSeconds: AHEAD_SECONDS,
    });
    const [older] = pool.list as [Replica];
    const newer = pool.copyOf(older);
    await newer.start();
    await isDegraded(older);
    pool.mock.faults.add({ on: "token", hang: true, times: 1 });
    const before = sentTokens(pool).length;
    await until("the newer one has sent a token", () => sentTokens(pool).length > before, PATIENCE_MS);
    const token = sentTokens(pool).at(-1);
    process.kill(newer.pid, "SIGKILL");
    // The older one replaces the killed one as the replica, but does not take over its turn.
    await isConnected(older);
    expect(await hello(older)).toBe("Hello from alice");
    expect(sentTokens(pool).slice(before)).toEqual([token ?? ""]);
    await newer.start();
    await until(
      "the older one has the new login",
      () => tokenOf(older) !== token && pool.mock.accounts.isLive(tokenOf(older)),
      PATIENCE_MS,
    );
    // The backend never answered the first request, so the token still worked.
    expect(sentTokens(pool).slice(before, before + 2)).toEqual([token ?? "", token ?? ""]);
    expect((await newer.stop()).err).toContain("did not finish renewing the login of alice");
  }, 180_000);

  test("one leaves the pool without ending the membership of the other, and can join again", async () => {
    await using pool = await startReplicas({ aliases: ["alice"], count: 1 });
    const [older] = pool.list as [Replica];
    const newer = pool.copyOf(older);
    const idOf = ({ layout }: Replica): string => JSON.parse(readFileSync(layout.cluster, "utf8")).replica;
    const nameOf = ({ layout }: Replica) => /name = "(.+)"/.exec(readFileSync(layout.config, "utf8"))?.[1];
    const ids = async () => (await pool.redis.cli("ZRANGE", "{codexlb:default}:seen", "0", "-1")).split("\n");
    // Commands on a root do not count as a second process.
    await done(newer.run("cluster", "status"));
    await done(newer.run("cluster", "leave"));
    expect(await ids()).toEqual([idOf(older)]);
    expect(existsSync(newer.layout.cluster)).toBe(false);
    const { err } = await done(newer.run("cluster", "join"));
    expect(err).toContain(`another replica is called ${nameOf(older)}, too`);
    await newer.start();
    expect(await ids()).toContain(idOf(newer));
    expect(await codeOf(older)).toBeUndefined();
    expect(await codeOf(newer)).toBeUndefined();
    await newer.stop();
    await done(newer.run("cluster", "leave"));
    expect(await ids()).toEqual([idOf(older)]);
  }, 60_000);
});

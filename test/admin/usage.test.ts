// Tests who may see which usage, and the checks of the request.

import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { remoteKeys, remoteUsage } from "../../src/admin/client.ts";
import { type Door, socketDoor } from "../../src/admin/door.ts";
import { createCredential } from "../../src/admin/proving.ts";
import type { UsageFilters, UsageGrouping } from "../../src/core/usage-report.ts";
import { systemDeps } from "../../src/deps.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { runCli } from "../support/cli.ts";
import { outcome } from "../support/outcome.ts";
import { startPool, type TestPool } from "../support/pool.ts";
import { tempDirectory } from "../support/temp.ts";

const CONFIG = '[proxy]\nname = "p"\nclient_auth = true\n[prices."demo"]\ninput = 1000000\noutput = 0\n';
const ALL = { sinceMs: 0, untilMs: 8.64e15 };

async function keyed(pool: TestPool, name: string, role: "client" | "parent" = "client") {
  const key = await remoteKeys(socketDoor(pool.layout.adminSocket)).add(name, role);
  const credential = createCredential({ ...systemDeps(), secret: key, origin: "given" });
  const client = createSseClient(pool.url, `session of ${name}`, { authorization: `Bearer ${key}` });
  return { key, client, door: { url: pool.url, credential } satisfies Door };
}

const names = async (door: Door, by: UsageGrouping) =>
  (await remoteUsage(door, { ...ALL, by })).lines.map(({ name, turns }) => [name, turns]).sort();

describe("usage", () => {
  test("is complete for the admin, and only its own for a key", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }], config: CONFIG });
    const laptop = await keyed(pool, "laptop");
    const desk = await keyed(pool, "desk");
    await laptop.client.turn("hello");
    await laptop.client.turn("hello");
    await desk.client.turn("hello");
    const socket = socketDoor(pool.layout.adminSocket);
    expect(await names(socket, "key")).toEqual([
      ["desk", 1],
      ["laptop", 2],
    ]);
    expect(await names(socket, "account")).toEqual([["alice", 3]]);
    expect(await names(laptop.door, "key")).toEqual([["laptop", 2]]);
    expect(await names(laptop.door, "session")).toEqual([["session of laptop", 2]]);
    expect(await outcome(names(laptop.door, "account"))).toThrow("not accounts");
    expect(await outcome(remoteUsage(laptop.door, { ...ALL, by: "day", account: "alice" }))).toThrow(
      "not accounts",
    );
    const turnsOf = async (door: Door, filters: UsageFilters) =>
      (await remoteUsage(door, { ...ALL, by: "day", ...filters })).total.turns;
    expect(await turnsOf(socket, { key: "desk" })).toBe(1);
    expect(await turnsOf(socket, { session: "session of", model: "demo", account: "alice" })).toBe(3);
    expect(await turnsOf(socket, { project: "shop" })).toBe(0);
    expect(await turnsOf(laptop.door, { key: "laptop", model: "demo" })).toBe(2);
    expect(await outcome(turnsOf(laptop.door, { key: "desk" }))).toThrow("only its own usage");
    const front = await keyed(pool, "front", "parent");
    expect(await names(front.door, "key")).toEqual([]);
    expect(await names({ ...front.door, proxyName: "p" }, "key")).toEqual([
      ["desk", 1],
      ["laptop", 2],
    ]);
    // The price in config.toml: a dollar for each token of input.
    const { total } = await remoteUsage(socket, { ...ALL, by: "day" });
    expect(total).toMatchObject({ input_tokens: 3_000, estimated_cost_usd: 3_000, unpriced_turns: 0 });
    expect((await fetch(`${pool.url}/admin/usage?since=0&until=1`)).status).toBe(401);
  });

  test.each([
    ["", "since is required"],
    ["?since=x&until=1", "since must be Unix milliseconds"],
    ["?since=2&until=1", "since must be before until"],
    ["?since=0&until=9999999999999999", "until is too late"],
    ["?since=0&until=1&by=weather", "by must be one of day"],
    ["?since=0&until=1&more=1", "more"],
    [`?since=0&until=1&model=${"m".repeat(301)}`, "model is too long"],
  ])("refuses the request %p", async (query, message) => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const response = await fetch(`${pool.url}/admin/usage${query}`, {
      headers: { authorization: `Bearer ${pool.adminToken}` },
    });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(message);
  });

  test("is printed by the command from the proxy, from the file, and for a key", async () => {
    using temp = tempDirectory();
    await using pool = await startPool({ accounts: [{ alias: "alice" }], config: CONFIG });
    const laptop = await keyed(pool, "laptop");
    await laptop.client.turn("hello");
    const usage = (args: readonly string[], env: Record<string, string> = {}) =>
      runCli(["usage", ...args], { cwd: temp.path, env });
    const root = ["--root", pool.layout.root];
    const running = await usage([...root, "--by", "account"]);
    expect(running.out.split("\n")[1]).toStartWith("alice\t1\t1000\t800\t50\t0\t0\t");
    const own = await usage(["--proxy-url", pool.url, "--by", "key", "--csv"], {
      CODEXLB_CLIENT_KEY: laptop.key,
    });
    expect(own.out.split("\n")[1]).toStartWith("laptop,1,1000,");
    await pool.stopAndReadEvents();
    const stopped = await usage([...root, "--by", "account"]);
    expect(stopped.out).toBe(running.out);
    const json = JSON.parse((await usage([...root, "--json"])).out);
    expect(json).toMatchObject({ by: "day", recording: "unknown", total: { turns: 1 } });
    {
      using database = new Database(pool.layout.usage);
      database.run("DELETE FROM days");
    }
    expect((await usage(root)).out.split("\n")[1]).toStartWith("total\t0\t");
    expect((await usage([...root, "--by", "weather"])).code).toBe(2);
    expect((await usage([...root, "--json", "--csv"])).code).toBe(2);
  });
});

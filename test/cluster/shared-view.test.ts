// Three proxies with one view of their accounts and sessions.

import { describe, expect, test } from "bun:test";
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createSseClient } from "../../src/mock/client.ts";
import { outcome } from "../support/outcome.ts";
import { limitBody, until } from "../support/pool.ts";
import { whyNoRedis } from "../support/redis.ts";
import { done, type Replica, startReplicas } from "../support/replicas.ts";
import { createRoamingClient } from "../support/roaming-client.ts";

const ALIASES = ["alice", "bob", "carol", "dave"];
const SESSIONS = 12;
const TURNS = 6;
const LIMIT_MS = 30_000;

/** The clock of a replica with these variables is five minutes ahead. */
const AHEAD = { BUN_OPTIONS: `--preload ${join(import.meta.dir, "..", "support", "clock-ahead.ts")}` };

interface ListedHealth {
  readonly kind: string;
  readonly reason?: string;
  readonly untilMs?: number;
}

const listedHealth = async (replica: Replica, alias: string): Promise<ListedHealth> => {
  const { out } = await done(replica.run("account", "list", "--json"));
  const { accounts } = JSON.parse(out) as {
    accounts: { readonly alias: string; readonly codexlb: { readonly health: ListedHealth } }[];
  };
  return accounts.find((one) => one.alias === alias)!.codexlb.health;
};

const healthOf = async (replica: Replica, alias: string): Promise<string> => {
  const { kind, reason } = await listedHealth(replica, alias);
  return reason === undefined ? kind : `${kind}: ${reason}`;
};

const turnOn = (replica: Replica, session: string = crypto.randomUUID()): Promise<string> =>
  createSseClient(replica.url, session).turn("hello");

const knows = ({ layout }: Replica, session: string): boolean =>
  existsSync(layout.sessions) && readFileSync(layout.sessions, "utf8").includes(session);

const allHave = (replicas: readonly Replica[], alias: string, health: string) =>
  until(
    `all replicas see that ${alias} is ${health}`,
    async () =>
      (await Promise.all(replicas.map((one) => healthOf(one, alias)))).every((one) => one === health),
    LIMIT_MS,
  );

describe.skipIf(whyNoRedis !== undefined)("three replicas behind a load balancer", () => {
  for (const transport of ["sse", "websocket"] as const)
    test(`keep the account of a session that changes replica every turn (${transport})`, async () => {
      await using pool = await startReplicas({ aliases: ALIASES });
      const sessions = Array.from({ length: SESSIONS }, (_, first) => {
        const session = crypto.randomUUID();
        return { session, client: createRoamingClient({ replicas: pool.list, session, transport, first }) };
      });
      const accounts: string[][] = await Promise.all(
        sessions.map(async ({ client }) => [await client.turn("turn 0")]),
      );
      // Turns take seconds, far longer than a signal. Those of the simulated backend take less.
      await until(
        "all replicas know all sessions",
        () => pool.list.every((replica) => sessions.every(({ session }) => knows(replica, session))),
        LIMIT_MS,
      );
      await Promise.all(
        sessions.map(async ({ client }, index) => {
          for (let turn = 1; turn < TURNS; turn++) accounts[index]!.push(await client.turn(`turn ${turn}`));
          client.close();
        }),
      );
      // Every turn but the first finds the prompt cache of its account, as with one proxy.
      const cached = accounts.flatMap((served) =>
        served.map((one, turn) => served.slice(0, turn).includes(one)),
      );
      expect(cached.filter((hit) => hit).length).toBe(SESSIONS * (TURNS - 1));
      expect(new Set(accounts.flat()).size).toBe(ALIASES.length);
    }, 120_000);

  test("see a limit that one of them reaches, a rejected login, and their end", async () => {
    await using pool = await startReplicas({ aliases: ALIASES });
    const { mock, list } = pool;
    const limit = { error: limitBody(Math.floor(Date.now() / 1000) + 3_600) };
    mock.faults.add({ on: "turn", account: "alice", times: 1, answer: { status: 429, body: limit } });
    await until(
      "alice has reached a limit",
      async () => {
        await turnOn(list[1]!);
        return (await healthOf(list[1]!, "alice")).startsWith("cooling");
      },
      LIMIT_MS,
    );
    await allHave(list, "alice", "cooling: usage-limit");
    await done(list[2]!.run("account", "enable", "alice"));
    await allHave(list, "alice", "healthy");
    mock.faults.add({ on: "turn", account: "bob", answer: { status: 401 } });
    mock.faults.add({
      on: "token",
      account: "bob",
      answer: { status: 400, body: { error: { code: "refresh_token_reused" } } },
    });
    await until(
      "the login of bob is rejected",
      async () => {
        await turnOn(list[1]!);
        return (await healthOf(list[1]!, "bob")).startsWith("disabled");
      },
      LIMIT_MS,
    );
    await allHave(list, "bob", await healthOf(list[1]!, "bob"));
    const logs = list.map(({ layout }) => readFileSync(layout.events, "utf8"));
    expect(logs.filter((log) => log.includes('"account.disabled"')).length).toBe(3);
    expect(logs.filter((log) => /"account\.disabled".*"by":"replica"/.test(log)).length).toBe(2);
    expect(logs.filter((log) => log.includes('"account.cooldown"')).length).toBe(1);
  }, 120_000);

  test("use a rejected login again after one of them has imported it again", async () => {
    await using pool = await startReplicas({ aliases: ["alice"] });
    const { mock, list } = pool;
    const [a] = list as [Replica];
    mock.faults.add({ on: "turn", account: "alice", times: 1, answer: { status: 401 } });
    mock.faults.add({
      on: "token",
      account: "alice",
      times: 1,
      answer: { status: 400, body: { error: { code: "refresh_token_expired" } } },
    });
    expect(await outcome(turnOn(list[1]!))).toThrow("login expired");
    await allHave(list, "alice", "disabled: refresh-token-expired");
    const home = join(a.layout.root, "copy");
    cpSync(join(a.layout.accounts, "alice"), home, { recursive: true });
    await done(a.run("account", "import", "--from", home, "alice"));
    await allHave(list, "alice", "healthy");
    for (const replica of list) expect(await turnOn(replica)).toBe("Hello from alice");
  }, 60_000);

  test("see the end of a cooldown by their own clocks", async () => {
    await using pool = await startReplicas({
      aliases: ALIASES,
      config: '[policy]\nmode = "sticky"\n[proxy]\ncooldown_default_seconds = 600\n',
      env: (index) => (index === 2 ? AHEAD : {}),
    });
    const { mock, list } = pool;
    mock.faults.add({ on: "turn", account: "alice", times: 1, answer: { status: 500 } });
    await turnOn(list[2]!);
    await allHave(list, "alice", "cooling: http-500");
    const ends = await Promise.all(list.map(async (one) => (await listedHealth(one, "alice")).untilMs ?? 0));
    const minutesApart = ends.map((end) => Math.round(Math.abs(end - ends[0]!) / 60_000));
    expect(minutesApart).toEqual([0, 0, 5]);
  }, 60_000);

  test("are joined by one that starts later, which knows the same, even if the server was emptied", async () => {
    await using pool = await startReplicas({ aliases: ALIASES });
    const { mock, list, redis } = pool;
    const [a, b, c] = list as [Replica, Replica, Replica];
    await c.stop();
    mock.faults.add({ on: "turn", account: "alice", answer: { status: 403 } });
    const session = crypto.randomUUID();
    const served = await turnOn(a, session);
    await until("b knows the session", () => knows(b, session), LIMIT_MS);
    await until(
      "alice has failed",
      async () => {
        await turnOn(a);
        return (await healthOf(a, "alice")).startsWith("cooling");
      },
      LIMIT_MS,
    );
    const health = await healthOf(a, "alice");
    await redis.cli("FLUSHALL");
    await until(
      "the server has the signals again",
      async () => Number(await redis.cli("HLEN", "{codexlb:default}:signals")) >= 2,
      LIMIT_MS,
    );
    rmSync(c.layout.sessions, { force: true });
    await c.start();
    await allHave(list, "alice", health);
    await until("c knows the session", () => knows(c, session), LIMIT_MS);
    expect(await turnOn(c, session)).toBe(served);
  }, 120_000);
});

// Three proxies with one view of their accounts and sessions.

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { limitBody, until } from "../support/pool.ts";
import { whyNoRedis } from "../support/redis.ts";
import { done, type Replica, startReplicas } from "../support/replicas.ts";
import { createRoamingClient } from "../support/roaming-client.ts";

const ALIASES = ["alice", "bob", "carol", "dave"];
const SESSIONS = 12;
const TURNS = 6;
const LIMIT_MS = 30_000;

interface ListedAccount {
  readonly alias: string;
  readonly enabled: boolean;
  readonly codexlb: { readonly health: { readonly kind: string; readonly reason?: string } };
}

const healthOf = async (replica: Replica, alias: string): Promise<string> => {
  const { out } = await done(replica.run("account", "list", "--json"));
  const { accounts } = JSON.parse(out) as { accounts: ListedAccount[] };
  const { kind, reason } = accounts.find((one) => one.alias === alias)!.codexlb.health;
  return reason === undefined ? kind : `${kind}: ${reason}`;
};

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
        () =>
          pool.list.every(({ layout }) => {
            const known = existsSync(layout.sessions) ? readFileSync(layout.sessions, "utf8") : "";
            return sessions.every(({ session }) => known.includes(session));
          }),
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
    const turns = async () => {
      const client = createRoamingClient({
        replicas: list,
        session: crypto.randomUUID(),
        transport: "sse",
        first: 1,
      });
      return client.turn("hello");
    };
    await until(
      "alice has reached a limit",
      async () => {
        await turns();
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
        await turns();
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
});

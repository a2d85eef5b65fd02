// What operators change on a replica whose proxy is not running.

import { describe, expect, test } from "bun:test";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { createSseClient } from "../../src/mock/client.ts";
import { outcome } from "../support/outcome.ts";
import { until } from "../support/pool.ts";
import { whyNoRedis } from "../support/redis.ts";
import { done, type Replica, startReplicas } from "../support/replicas.ts";

const LIMIT_MS = 30_000;

const Accounts = z.object({
  accounts: z.array(
    z.object({
      alias: z.string(),
      codexlb: z.object({
        pinned: z.boolean().default(false),
        draining: z.boolean(),
        options: z.object({ priority: z.number().optional() }),
        health: z.object({ kind: z.string(), reason: z.string().optional() }),
      }),
    }),
  ),
});

const accountsOf = async (replica: Replica) =>
  Accounts.parse(JSON.parse((await done(replica.run("account", "list", "--json"))).out)).accounts;

/** One account in words: its name, what is set for it, and its health unless it is healthy. */
const accountOf = async (replica: Replica, alias: string): Promise<string> => {
  const account = (await accountsOf(replica)).find((one) => one.alias === alias);
  if (account === undefined) return "missing";
  const { pinned, draining, options, health } = account.codexlb;
  const words = [
    pinned ? "pinned" : "",
    draining ? "draining" : "",
    options.priority === undefined ? "" : `priority ${options.priority}`,
    health.kind === "healthy" ? "" : `${health.kind} ${health.reason}`,
  ];
  return words.filter((word) => word !== "").join(" ") || "ready";
};

const keyOf = async (replica: Replica, name: string): Promise<string> => {
  const { keys } = JSON.parse((await done(replica.run("key", "list", "--json"))).out) as {
    keys: { readonly name: string; readonly rpm?: number }[];
  };
  const key = keys.find((one) => one.name === name);
  return key === undefined ? "missing" : key.rpm === undefined ? "no limit" : `rpm ${key.rpm}`;
};

const turnOn = (replica: Replica): Promise<string> =>
  createSseClient(replica.url, crypto.randomUUID()).turn("hello");

const allHave = (
  replicas: readonly Replica[],
  what: string,
  wanted: string,
  read: (replica: Replica) => Promise<string>,
) =>
  until(
    `all replicas have ${what}: ${wanted}`,
    async () => (await Promise.all(replicas.map(read))).every((found) => found === wanted),
    LIMIT_MS,
  );

interface Change {
  /** Words of commands. What all replicas have first. */
  readonly before: string;
  /** What another replica changes while this one is stopped, before the command; "": nothing. */
  readonly elsewhere: string;
  readonly command: string;
  /** The account or key concerned, and what every replica has of it in the end. */
  readonly of: string;
  readonly wanted: string;
}

const change = (before: string, elsewhere: string, command: string, of: string, wanted: string): Change => ({
  before,
  elsewhere,
  command,
  of,
  wanted,
});

/** Each change concerns a different account or key, so one restart shows all of them. Some repeat what the root has. */
const CHANGES: readonly Change[] = [
  change("account pin a", "account unpin", "account pin a", "account a", "pinned"),
  change("account enable b", "account drain b", "account disable b", "account b", "disabled operator"),
  change("account disable c", "account enable c", "account disable c", "account c", "disabled operator"),
  change("account disable d", "", "account enable d", "account d", "ready"),
  change("account enable e", "account disable e", "account enable e", "account e", "ready"),
  change("account drain f", "account enable f", "account drain f", "account f", "draining"),
  change(
    "account set g --priority 3",
    "account set g --priority 9",
    "account set g --priority 3",
    "account g",
    "priority 3",
  ),
  change("account enable h", "account set h --priority 9", "account rm h", "account h", "missing"),
  change("", "", "key add new", "key new", "no limit"),
  change("key add old", "key set old --rpm 9", "key rm old", "key old", "missing"),
  change("key add kept --rpm 3", "key set kept --rpm 9", "key set kept --rpm 3", "key kept", "rpm 3"),
];

describe.skipIf(whyNoRedis !== undefined)("a replica whose proxy is stopped", () => {
  test("loses no change by an operator, even if another replica has changed the same thing meanwhile", async () => {
    const aliases = ["a", "b", "c", "d", "e", "f", "g", "h"];
    await using pool = await startReplicas({ aliases });
    const [stopped, other] = pool.list as [Replica, Replica];
    const readers = CHANGES.map(({ of }) => {
      const [kind, name = ""] = of.split(" ");
      return (replica: Replica) => (kind === "key" ? keyOf(replica, name) : accountOf(replica, name));
    });
    const run = async (replica: Replica, commands: readonly string[]) => {
      for (const command of commands) if (command !== "") await done(replica.run(...command.split(" ")));
    };
    const same = async (states: readonly string[]) => {
      for (const [index, { of }] of CHANGES.entries())
        await allHave(pool.list, of, states[index]!, readers[index]!);
    };
    await run(
      stopped,
      CHANGES.map(({ before }) => before),
    );
    await same(await Promise.all(readers.map((read) => read(stopped))));
    await stopped.stop();
    await run(
      other,
      CHANGES.map(({ elsewhere }) => elsewhere),
    );
    await run(
      stopped,
      CHANGES.map(({ command }) => command),
    );
    await stopped.start();
    await same(CHANGES.map(({ wanted }) => wanted));
    await done(stopped.run("account", "unpin"));
    await allHave(pool.list, "account a", "ready", readers[0]!);
    await run(stopped, ["account pin b"]);
    await allHave(pool.list, "account b", "pinned disabled operator", readers[1]!);
    await stopped.stop();
    await run(other, ["account pin a"]);
    await run(stopped, ["account unpin"]);
    await stopped.start();
    await allHave(pool.list, "account a", "ready", readers[0]!);
  }, 180_000);

  for (const when of ["before", "after"] as const)
    test(`brings back a rejected login that is imported again, if it was stopped ${when} the rejection`, async () => {
      await using pool = await startReplicas({ aliases: ["alice"] });
      const { mock, list } = pool;
      const [stopped, other, third] = list as [Replica, Replica, Replica];
      const health = (replica: Replica) => accountOf(replica, "alice");
      if (when === "before") await stopped.stop();
      mock.faults.add({ on: "turn", account: "alice", times: 1, answer: { status: 401 } });
      mock.faults.add({
        on: "token",
        account: "alice",
        times: 1,
        answer: { status: 400, body: { error: { code: "refresh_token_expired" } } },
      });
      expect(await outcome(turnOn(other))).toThrow("login expired");
      const running = when === "before" ? [other, third] : list;
      await allHave(running, "alice", "disabled refresh-token-expired", health);
      if (when === "after") await stopped.stop();
      const home = join(stopped.layout.root, "copy");
      cpSync(join(stopped.layout.accounts, "alice"), home, { recursive: true });
      await done(stopped.run("account", "import", "--from", home, "alice"));
      await stopped.start();
      await allHave(list, "alice", "ready", health);
      // The refresh token may be sent again.
      mock.faults.add({ on: "turn", account: "alice", times: 1, answer: { status: 401 } });
      for (const replica of [third, other, stopped]) expect(await turnOn(replica)).toBe("Hello from alice");
      const noted = () => JSON.parse(readFileSync(stopped.layout.cluster, "utf8")) as { put_back: object };
      await until("the note is gone", () => Object.keys(noted().put_back).length === 0, LIMIT_MS);
    }, 120_000);
});

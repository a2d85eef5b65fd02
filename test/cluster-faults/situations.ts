// The columns of the matrix: what the replicas do when the fault begins.

import { join } from "node:path";
import type { Ran } from "../support/executable.ts";
import type { Replica } from "../support/replicas.ts";
import { createRoamingClient } from "../support/roaming-client.ts";
import { answering, type Cell, looked, type ReplicaView, tokenOf } from "./cell.ts";
import type { Fault } from "./faults.ts";

/** What a situation has begun in one cell. */
export interface Begun {
  /** While the fault lasts. */
  meanwhile(): Promise<void>;
  /** After the fault: what continues beyond it. The recovery begins when it is over. Undefined: nothing does. */
  readonly outlast?: () => Promise<void>;
  /** Then: resolves when everything that was asked has its answer. Throws if an operator has got an error. */
  answered(): Promise<void>;
  /** True if the replica has what it must have in the end. */
  isSettled(view: ReplicaView, replica: Replica): boolean;
  /** After the recovery. Throws if a client has got an error. */
  finish(): Promise<void>;
}

export interface Situation {
  readonly name: string;
  readonly aliases: readonly string[];
  /** Lifetime of access tokens, seconds. Default: an hour. */
  readonly tokenSeconds?: number;
  /** How long the backend takes for a turn, ms. Default: no time. */
  readonly turnMs?: number;
  /** Begins, chooses the target of the fault, and resolves when the fault is to begin. */
  begin(cell: Cell, fault: Fault): Promise<Begun>;
}

/**
 * Shorter than the time ahead of which logins are renewed, so each replica wants to renew at its start. A clock that is
 * five minutes ahead does not make them expire.
 */
const RENEWED_SECONDS = 580;
/** A replica that has started asks for its turn within this time, ms. */
const ASKED_MS = 2_000;
const THREE = ["alice", "bob", "carol"];

export const SITUATIONS: readonly Situation[] = [
  {
    name: "idle",
    aliases: THREE,
    begin: async () => IDLE,
  },
  {
    name: "under load",
    aliases: THREE,
    turnMs: 100,
    begin: beginLoad,
  },
  {
    name: "during a renewal",
    aliases: ["alice"],
    tokenSeconds: RENEWED_SECONDS,
    begin: answeredRenewal,
  },
  {
    name: "during a renewal that outlasts the fault",
    aliases: ["alice"],
    tokenSeconds: RENEWED_SECONDS,
    begin: longRenewal,
  },
  {
    name: "during import, pin, rm",
    aliases: THREE,
    begin: beginChanges,
  },
];

// --- internal ---

async function nothing(): Promise<void> {}

const IDLE: Begun = { meanwhile: nothing, answered: nothing, isSettled: () => true, finish: nothing };

/** Six sessions, each of which changes its replica every turn. */
async function beginLoad(cell: Cell): Promise<Begun> {
  const { pool, out } = cell;
  let turns = 0;
  let isOver = false;
  const errors: string[] = [];
  const run = async (index: number): Promise<void> => {
    const transport = index % 2 === 0 ? "sse" : "websocket";
    const options = { replicas: pool.list, session: crypto.randomUUID(), transport, first: index } as const;
    const client = createRoamingClient({ ...options, isOut: (replica) => out.has(replica) });
    while (!isOver) {
      await client.turn("hello").catch((error) => errors.push(`${transport}: ${error}`));
      turns++;
    }
    client.close();
  };
  const clients = Promise.all([0, 1, 2, 3, 4, 5].map(run));
  const more = async (count: number) => {
    const wanted = turns + count;
    await looked(`${count} more turns have ended`, () => turns >= wanted);
  };
  await more(12);
  return {
    ...IDLE,
    // Each client may be waiting for a replica that is stopped.
    meanwhile: () => (cell.frozen === undefined ? more(12) : nothing()),
    finish: async () => {
      isOver = true;
      await clients;
      if (errors.length > 0) throw new Error(`clients saw ${errors.length} errors: ${errors[0]}`);
    },
  };
}

/** A renewal in the middle of which the fault begins. */
interface Renewal {
  /** A replica that neither renews the login nor is hit by the fault. */
  readonly bystander: Replica;
  /** Lets the token endpoint answer. */
  answer(): void;
  /** True if all replicas have the new login. */
  readonly isSettled: Begun["isSettled"];
}

/** All replicas want to renew one login, and one of them has sent its token. */
async function beginRenewal(cell: Cell, fault: Fault): Promise<Renewal> {
  const { pool, door } = cell;
  await looked("a token is sent", () => door.isHolding);
  const before = tokenOf(pool.list[0]!, "alice");
  const holder = (await pool.redis.cli("HVALS", "{codexlb:default}:turns")).split(" ").at(-1);
  const ids = await Promise.all(pool.list.map(idOf));
  const index = ids.indexOf(holder ?? "");
  if (index < 0) throw new Error(`no replica has the turn: ${holder}`);
  if (fault.env === undefined)
    cell.target = pool.list[fault.ends === "restarted" ? (index + 1) % pool.list.length : index]!;
  return {
    bystander: pool.list.find((replica) => replica !== pool.list[index] && replica !== cell.target)!,
    // What a killed replica has sent may not arrive; if it did, the login would end, as without replicas.
    answer: fault.ends === "killed" ? door.drop : door.open,
    isSettled: (_view, replica) => {
      const token = tokenOf(replica, "alice");
      return token !== before && token === tokenOf(pool.list[0]!, "alice");
    },
  };
}

/** The answer comes while the fault lasts. */
async function answeredRenewal(cell: Cell, fault: Fault): Promise<Begun> {
  const { answer, isSettled } = await beginRenewal(cell, fault);
  return { ...IDLE, meanwhile: async () => answer(), isSettled };
}

/** The answer comes after the fault, and after another replica has started and wanted to renew the login as well. */
async function longRenewal(cell: Cell, fault: Fault): Promise<Begun> {
  const { bystander, answer, isSettled } = await beginRenewal(cell, fault);
  const wants = async (): Promise<void> => {
    cell.out.add(bystander);
    await bystander.stop();
    await bystander.start();
    cell.out.delete(bystander);
    await Bun.sleep(ASKED_MS);
  };
  return {
    ...IDLE,
    meanwhile: () => (cell.frozen === undefined ? nothing() : wants()),
    outlast: async () => {
      await wants();
      answer();
    },
    isSettled,
  };
}

async function idOf({ layout }: Replica): Promise<string> {
  return (await Bun.file(layout.cluster).json()).replica;
}

/** What a command that has succeeded must have done. */
interface Change {
  readonly words: readonly string[];
  readonly isDone: (view: ReplicaView) => boolean;
}

const has = (alias: string) => (view: ReplicaView) =>
  view.accounts.some((one) => one.split(" ")[0] === alias);

const PIN: Change = {
  words: ["account", "pin", "alice"],
  isDone: ({ accounts }) => accounts.includes("alice pinned"),
};
const REMOVE: Change = { words: ["account", "rm", "carol"], isDone: (view) => !has("carol")(view) };
const DISABLE: Change = {
  words: ["account", "disable", "bob"],
  isDone: ({ accounts }) => accounts.includes("bob disabled"),
};
const ADD_KEY: Change = { words: ["key", "add", "laptop"], isDone: ({ keys }) => keys.includes("laptop") };

/** Each replica carries out a command when the fault begins, and two of them carry out another one while it lasts. */
async function beginChanges(cell: Cell, fault: Fault): Promise<Begun> {
  const { pool } = cell;
  const [a, b, c] = pool.list as [Replica, Replica, Replica];
  const home = join(pool.directory, "login-dave");
  await Bun.write(join(home, "auth.json"), pool.mock.authFile("dave"));
  const add: Change = { words: ["account", "import", "--from", home, "dave"], isDone: has("dave") };
  const ran: Promise<{ readonly change: Change; readonly on: Replica; readonly ran: Ran }>[] = [];
  const run = (on: Replica, change: Change) => {
    const one = on.run(...change.words).then((ran) => ({ change, on, ran }));
    ran.push(one);
    return one;
  };
  await Promise.race([run(a, PIN), run(b, add), run(c, REMOVE)]);
  const acknowledged: Change[] = [];
  return {
    ...IDLE,
    meanwhile: async () => {
      await Promise.all([run(answering(cell).includes(a) ? a : b, DISABLE), run(c, ADD_KEY)]);
    },
    answered: async () => {
      for (const { change, on, ran: result } of await Promise.all(ran))
        if (result.code === 0) acknowledged.push(change);
        else if (on !== cell.target || fault.ends === undefined)
          throw new Error(`${change.words.slice(0, 2).join(" ")} failed: ${result.err}`);
    },
    isSettled: (view) => acknowledged.every(({ isDone }) => isDone(view)),
  };
}

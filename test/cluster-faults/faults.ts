// The rows of the matrix: what fails, how it begins, and how it ends.

import { join } from "node:path";
import type { Cell } from "./cell.ts";

export interface Fault {
  readonly name: string;
  /** Which replicas report that they cannot use the engine while the fault lasts; "none" if it is over at once. */
  readonly degrades: "none" | "target" | "all";
  /**
   * How long the fault lasts, ms. Default: until those replicas have reported it, and the others have served a turn.
   */
  readonly lastsMs?: number;
  /**
   * The process of the target ends, so a command on it may fail then. If it is only restarted, it is not the
   * replica that renews a login, because it would finish that first.
   */
  readonly ends?: "killed" | "restarted";
  /** Each replica reaches the engine over a network of its own. */
  readonly hasNetwork?: boolean;
  /** Options of the engine. Default: an append-only file. */
  readonly engine?: readonly string[];
  /** Additional environment variables of the first replica, which then is the target. */
  readonly env?: Readonly<Record<string, string>>;
  readonly begin?: (cell: Cell) => Promise<void>;
  /** Undefined: it is over once it has begun. */
  readonly end?: (cell: Cell) => Promise<void>;
}

const OTHER_KEY = { CODEXLB_CLUSTER_KEY: Buffer.alloc(32, 7).toString("base64") };
const AHEAD = { BUN_OPTIONS: `--preload ${join(import.meta.dir, "..", "support", "clock-ahead.ts")}` };
/** An engine that keeps nothing on disk, and so has lost everything when it starts again. */
const FORGETFUL = ["--save", "", "--appendonly", "no"];

export const FAULTS: readonly Fault[] = [
  {
    name: "a replica is killed",
    degrades: "none",
    ends: "killed",
    begin: async ({ target, out }) => {
      out.add(target);
      process.kill(target.pid, "SIGKILL");
    },
    end: start,
  },
  {
    name: "a replica is stopped for 20 s (SIGSTOP)",
    degrades: "none",
    lastsMs: 20_000,
    begin: async (cell) => {
      cell.frozen = cell.target;
      process.kill(cell.target.pid, "SIGSTOP");
    },
    end: async (cell) => {
      cell.frozen = undefined;
      process.kill(cell.target.pid, "SIGCONT");
    },
  },
  {
    name: "the clock of a replica is five minutes ahead",
    degrades: "none",
    env: AHEAD,
  },
  {
    name: "a replica has another key",
    degrades: "target",
    ends: "restarted",
    begin: async (cell) => restart(cell, OTHER_KEY),
    end: async (cell) => restart(cell),
  },
  {
    name: "the network between a replica and the server is cut",
    degrades: "target",
    hasNetwork: true,
    begin: async ({ pool, relays, target }) => relays[pool.list.indexOf(target)]?.cut(),
    end: async ({ pool, relays, target }) => relays[pool.list.indexOf(target)]?.mend(),
  },
  {
    name: "the server is killed",
    degrades: "all",
    begin: async ({ pool }) => pool.redis.kill(),
    end: async ({ pool }) => pool.redis.restart(),
  },
  {
    name: "the server is stopped (SIGSTOP)",
    degrades: "all",
    begin: async ({ pool }) => void process.kill(pool.redis.pid, "SIGSTOP"),
    end: async ({ pool }) => void process.kill(pool.redis.pid, "SIGCONT"),
  },
  {
    name: "the server is killed and loses everything",
    degrades: "all",
    engine: FORGETFUL,
    begin: async ({ pool }) => pool.redis.kill(),
    end: async ({ pool }) => pool.redis.restart(),
  },
  {
    name: "the server is emptied (FLUSHALL)",
    degrades: "none",
    begin: (cell) => command(cell, "FLUSHALL"),
  },
  {
    name: "all connections to the server are closed (CLIENT KILL)",
    degrades: "none",
    begin: async (cell) => {
      await command(cell, "CLIENT", "KILL", "TYPE", "pubsub");
      await command(cell, "CLIENT", "KILL", "TYPE", "normal");
    },
  },
  {
    name: "the memory of the server is full (maxmemory)",
    degrades: "all",
    begin: (cell) => command(cell, "CONFIG", "SET", "maxmemory", "1"),
    end: (cell) => command(cell, "CONFIG", "SET", "maxmemory", "0"),
  },
  {
    name: "the server denies the scripts (ACL)",
    degrades: "all",
    begin: (cell) => command(cell, "ACL", "SETUSER", "default", "-eval", "-evalsha"),
    end: (cell) => command(cell, "ACL", "SETUSER", "default", "+@all"),
  },
];

// --- internal ---

async function command({ pool }: Cell, ...words: readonly string[]): Promise<void> {
  const answer = await pool.redis.cli(...words);
  if (!/^(?:OK|\d+)$/.test(answer)) throw new Error(`${words.join(" ")}: ${answer}`);
}

async function start({ target, out }: Cell): Promise<void> {
  await target.start();
  out.delete(target);
}

async function restart(cell: Cell, env: Record<string, string> = {}): Promise<void> {
  cell.out.add(cell.target);
  await cell.target.stop();
  await cell.target.start(env);
  cell.out.delete(cell.target);
}

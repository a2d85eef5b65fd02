// One cell of the matrix: its pool, the replica that its fault hits, and what is observed from outside.

import { readFileSync } from "node:fs";
import { until } from "../support/pool.ts";
import type { Relay } from "../support/relay.ts";
import type { Replica, Replicas } from "../support/replicas.ts";
import type { TokenDoor } from "../support/token-door.ts";

export interface Cell {
  readonly pool: Replicas;
  /** The network between each replica and the engine. */
  readonly relays: readonly Relay[];
  /** Before the backend's token endpoint. */
  readonly door: TokenDoor;
  /** The replica that the fault hits, if it hits one. */
  target: Replica;
  /** The replicas that a load balancer would not use now, because they do not run. */
  readonly out: Set<Replica>;
  /** The replica that is stopped now, and so does not answer. */
  frozen: Replica | undefined;
}

/** How a replica sees itself. */
export interface ReplicaView {
  /** It cannot use the engine. */
  readonly isDegraded: boolean;
  /** Changes of operators that the engine does not have yet. */
  readonly pending: number;
  /** Each account, with what an operator has done to it: `alice pinned`. Sorted. */
  readonly accounts: readonly string[];
  /** The names of the client keys. Sorted. */
  readonly keys: readonly string[];
}

export async function viewOf({ layout }: Replica): Promise<ReplicaView> {
  const asked = await fetch("http://localhost/admin/cluster", { unix: layout.adminSocket });
  const { cluster } = (await asked.json()) as { cluster: { pending: number; degraded_since_ms?: number } };
  const keys = keysOf(layout.keys);
  const listed = await fetch("http://localhost/status", { unix: layout.adminSocket });
  const { accounts } = (await listed.json()) as {
    accounts: { alias: string; enabled: boolean; pinned: boolean }[];
  };
  return {
    isDegraded: cluster.degraded_since_ms !== undefined,
    pending: cluster.pending,
    accounts: accounts
      .map(({ alias, enabled, pinned }) => `${alias}${pinned ? " pinned" : ""}${enabled ? "" : " disabled"}`)
      .sort(),
    keys,
  };
}

/** The refresh token of an account in the root of a replica. */
export function tokenOf({ layout }: Replica, alias: string): string {
  return JSON.parse(readFileSync(`${layout.accounts}/${alias}/auth.json`, "utf8")).tokens.refresh_token;
}

/** Every refresh token that the backend received, in order. */
export function sentTokens({ mock }: Replicas): string[] {
  return mock.requests
    .filter(({ point }) => point === "token")
    .map(({ json }) => (json as { refresh_token: string }).refresh_token);
}

/** How many facts the engine has, removals included. */
export async function factCount({ redis }: Replicas): Promise<number> {
  return Number(await redis.cli("HLEN", "{codexlb:default}:generations"));
}

/** The replicas that can answer now. */
export function answering({ pool, out, frozen }: Cell): Replica[] {
  return pool.list.filter((replica) => !out.has(replica) && replica !== frozen);
}

/** Resolves when `check` returns true. Looks ten times a second, because many cells wait beside each other. */
export function looked(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const look = async (): Promise<boolean> => {
    if (await check()) return true;
    await Bun.sleep(LOOK_MS);
    return false;
  };
  return until(what, look, PATIENCE_MS);
}

// --- internal ---

const LOOK_MS = 100;
/** Longest wait for anything on a busy machine, ms. */
const PATIENCE_MS = 120_000;

function keysOf(path: string): string[] {
  try {
    const { keys } = JSON.parse(readFileSync(path, "utf8")) as { keys: { name: string }[] };
    return keys.map(({ name }) => name).sort();
  } catch {
    return []; // there is none yet
  }
}

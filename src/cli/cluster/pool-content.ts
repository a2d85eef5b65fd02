// Takes a pool into a root, and counts what is in it.

import { subjectOf } from "../../cluster/facts.ts";
import type { LocalFacts } from "../../cluster/local-facts.ts";
import { createReconciler } from "../../cluster/reconcile.ts";
import type { ReplicaFile } from "../../cluster/replica-file.ts";
import type { Log } from "../../deps.ts";
import type { OpenPool } from "./open-pool.ts";

/** Brings the root and the pool into line once. Throws `cluster_unreachable`, `cluster_refused`, `file_unusable`. */
export async function compareOnce(
  { records, sealer }: OpenPool,
  file: ReplicaFile,
  facts: LocalFacts,
  log: Log,
): Promise<void> {
  await createReconciler({ records, sealer, file, facts, log })();
}

export interface PoolContent {
  readonly accounts: number;
  readonly keys: number;
}

/** How many accounts and keys the pool has. */
export async function contentOf({ records }: OpenPool): Promise<PoolContent> {
  const found = await records.records([...(await records.generations()).keys()]);
  const kinds = [...found.values()].flatMap(({ opened }) =>
    opened?.kind === "fact" && opened.fact.value !== null ? [subjectOf(opened.fact.name)?.kind] : [],
  );
  const count = (kind: string) => kinds.filter((one) => one === kind).length;
  return { accounts: count("login"), keys: count("key") };
}

/** `3 accounts and 1 key`. */
export function contentWords({ accounts, keys }: PoolContent): string {
  const words = (count: number, one: string) => `${count} ${one}${count === 1 ? "" : "s"}`;
  return `${words(accounts, "account")} and ${words(keys, "key")}`;
}

// `codexlb cluster rekey`: replaces the key of a pool, and seals all of its facts again. It can be repeated after a
// kill at any point: the next key is on disk before the pool gets it, the pool gets it in one step, and then it
// replaces the key file.

import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import { adoptNextPoolKey, createNextPoolKey, type KeyPlace } from "../../cluster/key.ts";
import type { Member } from "../../cluster/pool-records.ts";
import type { Deps } from "../../deps.ts";
import { CodexlbError } from "../../errors.ts";
import { print } from "../../print.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { contextOf, requireRoot } from "../context.ts";
import { waitingFor } from "../terminal/terminal.ts";
import { requireReplica } from "./membership.ts";
import { clusterSettings, type OpenPool, openPool, requireJoinedPool } from "./open-pool.ts";
import { contentOf, contentWords } from "./pool-content.ts";

export default defineCommand({
  meta: { name: "codexlb cluster rekey", description: "Replace the key of the pool" },
  args: {
    ...ROOT_FLAG,
    now: {
      type: "boolean",
      description:
        "Do not wait for replicas that do not have the next key; they renew no login until they get it",
    },
  },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    requireRoot(context);
    const { deps, layout } = context;
    const file = requireReplica(layout);
    const place = { env: deps.env, keyFile: clusterSettings(context).key_file, isJoined: true };
    const path = createNextPoolKey(place, deps.random);
    using pool = await openPool(context);
    await requireJoinedPool(pool, file);
    if (pool.keyring.next()?.keyId === pool.sealer.keyId) return finished(pool, place);
    if (!args.now)
      await waitingFor("waiting until every replica has the next key", untilKnown(pool, path, deps));
    await waitingFor("sealing the pool with the next key", sealed(pool, file.poolId, deps));
    await pool.records.find();
    await finished(pool, place);
  },
});

// --- internal ---

/** A connected replica reports itself every five seconds. */
const SEEN_MS = 15_000;
/** Long enough for a replica to notice a new file, and for a renewal to end. */
const PATIENCE_MS = 15_000;
const POLL_MS = 200;

/** Waits until every connected replica has the next key. Throws `cluster_refused` if one does not get it. */
async function untilKnown(
  { records, keyring }: OpenPool,
  path: string,
  deps: Pick<Deps, "clock">,
): Promise<void> {
  const missing = async (): Promise<Member[]> =>
    (await records.members()).filter(
      ({ about, agoMs }) =>
        agoMs < SEEN_MS && about.stopped !== true && about.next_key !== keyring.next()?.keyId,
    );
  const names = (members: readonly Member[]) =>
    members.map(({ id, about }) => `${about.name} (${id})`).join(", ");
  const deadlineMs = deps.clock.monotonic() + PATIENCE_MS;
  for (;;) {
    const without = await missing();
    if (without.length === 0) return;
    if (deps.clock.monotonic() > deadlineMs)
      throw new CodexlbError(
        "cluster_refused",
        `these replicas do not have the next key: ${names(without)}`,
        {
          next: `copy ${path} to each of them, under the same name beside its key file, and run this command again; or use ${advised("cluster rekey", "--now")}, after which they renew no login until they get the key`,
        },
      );
    await Bun.sleep(POLL_MS);
  }
}

async function sealed(
  { records, keyring, pool }: OpenPool,
  poolId: string,
  deps: Pick<Deps, "clock">,
): Promise<void> {
  const deadlineMs = deps.clock.monotonic() + PATIENCE_MS;
  for (;;) {
    const next = keyring.next();
    const result = next === undefined ? "changed" : await records.rekey(poolId, next);
    if (result === "done") return;
    if (deps.clock.monotonic() > deadlineMs)
      throw new CodexlbError(
        "cluster_refused",
        result === "renewing"
          ? `a replica of the pool ${pool} is renewing a login, or was killed during a renewal`
          : `the pool ${pool} keeps changing`,
        { next: "the pool still has its old key; run this command again in five minutes" },
      );
    await Bun.sleep(POLL_MS);
  }
}

/** The pool has the next key. */
async function finished(pool: OpenPool, place: KeyPlace): Promise<void> {
  adoptNextPoolKey(place);
  print(
    `the pool ${pool.pool} with ${contentWords(await contentOf(pool))} has a new key, in ${place.keyFile}\n`,
  );
}

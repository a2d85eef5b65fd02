// `codexlb cluster rekey`: replaces the key of a pool, and seals all of its facts again. It can be repeated after a
// kill at any point: the next key is on disk before the pool gets it, the pool gets it in one step, and then it
// replaces the key file.

import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import { adoptNextPoolKey, createNextPoolKey, type KeyPlace, keyPlaceOf } from "../../cluster/key.ts";
import type { Member } from "../../cluster/pool-records.ts";
import type { ReplicaFile } from "../../cluster/replica-file.ts";
import type { Deps, Log } from "../../deps.ts";
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
    const place = keyPlaceOf(layout, clusterSettings(context), deps.env);
    using pool = await openPool(context);
    await requireJoinedPool(pool, file);
    const { path, isNew } = createNextPoolKey(place, deps.random);
    if (isNew) deps.log.info(`created the next key ${path}`);
    if (pool.keyring.next()?.keyId === pool.sealer.keyId) return finished(pool, place);
    await (args.now
      ? waitingFor("asking the replicas whether they have the next key", untilReported(pool, deps))
      : waitingFor("waiting until every replica has the next key", untilKnown(pool, path, deps)));
    warnOfCutOff(await membersWithoutNextKey(pool), file, deps.log);
    await waitingFor("sealing the pool with the next key", sealed(pool, file.poolId, deps));
    await pool.records.find();
    await finished(pool, place);
  },
});

// --- internal ---

/** Long enough for a replica to notice a new file, and for a renewal to end. */
const PATIENCE_MS = 15_000;
/** Replicas report every five seconds. One whose report is late is not given up immediately. */
const SEEN_MS = 15_000;
const POLL_MS = 200;

async function membersWithoutNextKey({ records, keyring }: OpenPool): Promise<Member[]> {
  const next = keyring.next()?.keyId;
  return (await records.members()).filter(({ about }) => about.next_key !== next);
}

const isConnected = ({ about, agoMs }: Member): boolean => about.stopped !== true && agoMs < SEEN_MS;

/** `lab (41af09): it has a different next key`. */
function described(member: Member): string {
  const { id, about } = member;
  const why = about.next_key === undefined ? about.next_key_problem : "it has a different next key";
  const problem = why === undefined ? "" : `: ${why}`;
  return `${about.name} (${id}${isConnected(member) ? "" : ", not connected"})${problem}`;
}

/** Waits until every connected replica has the next key. Throws `cluster_refused` if one does not get it. */
async function untilKnown(pool: OpenPool, path: string, deps: Pick<Deps, "clock">): Promise<void> {
  const deadlineMs = deps.clock.monotonic() + PATIENCE_MS;
  for (;;) {
    const without = (await membersWithoutNextKey(pool)).filter(isConnected);
    if (without.length === 0) return;
    if (deps.clock.monotonic() > deadlineMs)
      throw new CodexlbError(
        "cluster_refused",
        `these replicas do not have the next key: ${without.map(described).join("; ")}`,
        {
          next: `copy ${path} to each of them, under the same name beside its key file (mode 0600), and run this command again; or use ${advised("cluster rekey", "--now")}, after which they renew no login until they get the key`,
        },
      );
    await Bun.sleep(POLL_MS);
  }
}

/**
 * Waits until every connected replica has reported itself since the file of the next key exists. Those that do not
 * have the next key then cannot read it.
 */
async function untilReported(pool: OpenPool, { clock }: Pick<Deps, "clock">): Promise<void> {
  const startMs = clock.monotonic();
  for (;;) {
    const waitedMs = clock.monotonic() - startMs;
    const without = await membersWithoutNextKey(pool);
    if (!without.some((member) => isConnected(member) && member.agoMs > waitedMs)) return;
    await Bun.sleep(POLL_MS);
  }
}

/** Warns about replicas that will not open the pool. A proxy of this root that is not running finds the key here. */
function warnOfCutOff(without: readonly Member[], file: ReplicaFile, log: Log): void {
  const cutOff = without.filter((member) => member.id !== file.replica || isConnected(member));
  if (cutOff.length === 0) return;
  log.warn(
    `these replicas have not reported the next key: ${cutOff.map(described).join("; ")}; they renew no login until their key file has it`,
  );
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

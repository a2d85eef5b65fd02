// Row (n): the cost of sharing a pool with other replicas.

import { startRedis, type TestRedis, whyNoRedis } from "../../../test/support/redis.ts";
import type { Lab } from "../lab.ts";
import { startLoad } from "../load-process.ts";
import { loadNamed } from "../loads.ts";
import { measure } from "../measure.ts";
import type { Samples } from "../samples.ts";
import { type Subject, startProxy } from "../subjects.ts";
import { signalDelays } from "./signals.ts";

/** Turns through a replica, and through a proxy that works alone as the reference. */
export async function replicas(lab: Lab, samples: Samples): Promise<void> {
  if (whyNoRedis !== undefined) return lab.log(`row (n) is left out: ${whyNoRedis}`);
  await using started = new AsyncDisposableStack();
  const engine = started.use(await startRedis(["--appendonly", "yes"]));
  const [replica] = await startReplicas(lab, engine, started);
  const alone = started.use(await startProxy(lab, { name: "reference", executable: lab.executable }));
  // The difference is small, so it needs more rounds than the rows whose figures differ by factors.
  const patient = { ...lab, rounds: ROUNDS_EACH * lab.rounds };
  await measure(patient, samples, [replica, alone], {
    ...LOAD,
    figures: (cpuPer) => ({ "n.cpu": cpuPer(10_000) }),
  });
  await using load = await startLoad(LOAD.spec(replica));
  await load.run(LOAD.warmUp);
  for (let round = 0; round < lab.rounds; round++) {
    const before = await commandCount(engine);
    await load.run(LOAD.operations);
    const count = (await commandCount(engine)) - before;
    samples.add("n.commands", "codexlb", (count / LOAD.operations) * 1_000);
  }
  await signalDelays(lab, samples, engine);
}

// --- internal ---

const ROUNDS_EACH = 4;
const LOAD = loadNamed("b");
/**
 * The commands that replicas send once they are connected. The engine also counts the commands of their scripts, and
 * the `INFO` that reads the counts.
 */
const SENT = /^cmdstat_(?:evalsha|eval|ping|subscribe):calls=(\d+)/gm;

/** Two replicas of one pool, the first with the accounts. */
async function startReplicas(
  lab: Lab,
  { url }: TestRedis,
  started: AsyncDisposableStack,
): Promise<[Subject, Subject]> {
  const options = { name: "codexlb", executable: lab.executable } as const;
  return [
    started.use(await startProxy(lab, { ...options, pool: { url, command: "init" } })),
    started.use(await startProxy(lab, { ...options, accounts: 0, pool: { url, command: "join" } })),
  ];
}

/** How many commands the replicas have sent so far. */
async function commandCount(engine: TestRedis): Promise<number> {
  const counted = [...(await engine.cli("INFO", "commandstats")).matchAll(SENT)];
  return counted.reduce((sum, [, calls]) => sum + Number(calls), 0);
}

// Row (g): resident memory.

import type { Lab } from "../lab.ts";
import type { IdleLoad } from "../load/spec.ts";
import { startLoad } from "../load-process.ts";
import { residentKib } from "../process-figures.ts";
import type { Samples } from "../samples.ts";
import { type Subject, startSubjects } from "../subjects.ts";

/** Memory when idle, and per open connection. Every figure comes from a fresh process. */
export async function memory(lab: Lab, samples: Samples): Promise<void> {
  for (let round = 0; round < Math.min(lab.rounds, MOST_ROUNDS); round++)
    for (const of of ["sockets", "streams"] as const)
      for (const subject of await startSubjects(lab)) {
        await using started = subject;
        await Bun.sleep(SETTLE_MS);
        if (of === "sockets") samples.add("g.idle", started.name, residentOf(started) / 1024);
        const figure = of === "sockets" ? "g.socket" : "g.stream";
        const each = await perConnection(started, of).catch((error: unknown) => {
          if (started.name !== "peer") throw error;
          lab.log(`the peer failed to keep ${of} open: ${error}`);
          return undefined;
        });
        if (each !== undefined) samples.add(figure, started.name, each);
      }
}

// --- internal ---

const MOST_ROUNDS = 3;
const SETTLE_MS = 1_000;
/** Connections that are opened first, so that one-time allocations of the process do not count. */
const FIRST_CONNECTIONS = 300;
const CONNECTIONS = 3_000;

/** The resident memory of each of `CONNECTIONS` more connections, KiB. */
async function perConnection(subject: Subject, of: IdleLoad["of"]): Promise<number> {
  const { origin, headers } = subject;
  await using load = await startLoad({ kind: "idle", origin, headers, of });
  await load.run(FIRST_CONNECTIONS);
  await Bun.sleep(SETTLE_MS);
  const before = residentOf(subject);
  await load.run(CONNECTIONS);
  await Bun.sleep(SETTLE_MS);
  return (residentOf(subject) - before) / CONNECTIONS;
}

function residentOf({ pids }: Subject): number {
  return pids.map(residentKib).reduce((sum, kib) => sum + kib, 0);
}

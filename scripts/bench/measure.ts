// Measures a load on several subjects in alternating rounds, so that other work of the machine affects all of them.

import { messageOf } from "../../src/errors.ts";
import type { Lab } from "./lab.ts";
import type { LoadFigures, LoadSpec } from "./load/spec.ts";
import { type LoadProcess, startLoad } from "./load-process.ts";
import { cpuSeconds } from "./process-figures.ts";
import type { Samples } from "./samples.ts";
import type { Subject } from "./subjects.ts";

export interface MeasuredLoad {
  readonly spec: (subject: Subject) => LoadSpec;
  /** The number of operations in a round. */
  readonly operations: number;
  /** The number of operations before the first round, which do not count. */
  readonly warmUp: number;
  /**
   * A load that runs before the warm-up and does not count. For loads whose own warm-up has too few requests for the
   * runtime to compile the code that handles a request.
   */
  readonly precededBy?: { readonly spec: MeasuredLoad["spec"]; readonly operations: number };
  /** The figures of a round. `cpuPer`: CPU seconds for a number of operations; NaN for a subject without processes. */
  readonly figures: (
    cpuPer: (operations: number) => number,
    load: LoadFigures,
  ) => Readonly<Record<string, number>>;
}

/** Adds the rounds of every subject to `samples`. A peer that fails at the load is reported and left out. */
export async function measure(
  lab: Pick<Lab, "rounds" | "log">,
  samples: Samples,
  subjects: readonly Subject[],
  load: MeasuredLoad,
): Promise<void> {
  const runs: { readonly subject: Subject; readonly process: LoadProcess }[] = [];
  try {
    for (const subject of subjects) {
      const process = await warmedUp(lab, subject, load);
      if (process !== undefined) runs.push({ subject, process });
    }
    for (let round = 0; round < lab.rounds; round++)
      for (const offset of runs.keys()) {
        // The order rotates, so that every subject follows every other subject.
        const run = runs[(offset + round) % runs.length];
        if (run === undefined) continue;
        const figures = await measureRound(run.subject, run.process, load);
        for (const [name, value] of Object.entries(figures))
          if (run.subject.pids.length > 0 || !Number.isNaN(value)) samples.add(name, run.subject.name, value);
      }
  } finally {
    for (const { process } of runs) await process[Symbol.asyncDispose]();
  }
}

/** CPU seconds of all processes of a subject since their start. */
export function cpuOf({ pids }: Pick<Subject, "pids">): number {
  return pids.length === 0 ? Number.NaN : pids.map(cpuSeconds).reduce((sum, one) => sum + one, 0);
}

/** The figures of one round on a warm subject. */
export async function measureRound(
  subject: Subject,
  process: LoadProcess,
  { operations, figures }: MeasuredLoad,
): Promise<Readonly<Record<string, number>>> {
  const before = cpuOf(subject);
  const measured = await process.run(operations);
  await Bun.sleep(SETTLE_MS);
  const used = cpuOf(subject) - before;
  return figures((per) => (used / operations) * per, measured);
}

// --- internal ---

/** The wait after a round: longer than a proxy delays its writes to disk, so that their cost counts. */
const SETTLE_MS = 300;

async function warmedUp(
  { log }: Pick<Lab, "log">,
  subject: Subject,
  { spec, warmUp, precededBy }: MeasuredLoad,
): Promise<LoadProcess | undefined> {
  let process: LoadProcess | undefined;
  try {
    if (precededBy !== undefined) {
      await using earlier = await startLoad(precededBy.spec(subject));
      await earlier.run(precededBy.operations);
    }
    process = await startLoad(spec(subject));
    await process.run(warmUp);
    return process;
  } catch (error) {
    await process?.[Symbol.asyncDispose]();
    if (subject.name !== "peer") throw error;
    log(`the peer failed at this load: ${messageOf(error)}`);
    return undefined;
  }
}

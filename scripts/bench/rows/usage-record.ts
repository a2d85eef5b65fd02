// Row (l): the cost of the record of turns.

import type { Lab } from "../lab.ts";
import { loadNamed } from "../loads.ts";
import { type MeasuredLoad, measure } from "../measure.ts";
import type { Samples } from "../samples.ts";
import { type Subject, startProxy } from "../subjects.ts";

/** Turns of both transports with the record of turns, and without it as the reference. */
export async function usageRecord(lab: Lab, samples: Samples): Promise<void> {
  for (let pair = 0; pair < PAIRS; pair++) await measurePair(lab, samples, pair % 2 === 0);
}

// --- internal ---

/**
 * The difference is small. Two processes of the same program differ by as much, because the runtime compiles
 * different functions in each, so several pairs are measured.
 */
const PAIRS = 4;
/** Turns are recorded in batches, so it takes more of them until the runtime has compiled that code. */
const WARM_UP = 40_000;

async function measurePair(lab: Lab, samples: Samples, isReferenceLast: boolean): Promise<void> {
  await using started = new AsyncDisposableStack();
  const { executable } = lab;
  const recording = { name: "codexlb", executable } as const;
  const reference = { name: "reference", executable, config: "[usage]\nenabled = false\n" } as const;
  const subjects: Subject[] = [];
  for (const options of isReferenceLast ? [recording, reference] : [reference, recording])
    subjects.push(started.use(await startProxy(lab, options)));
  for (const [figure, name] of [["l.sse", "b"] as const, ["l.websocket", "e"] as const])
    await measure(lab, samples, subjects, loadFor(name, figure));
}

function loadFor(name: string, figure: string): MeasuredLoad {
  return { ...loadNamed(name), warmUp: WARM_UP, figures: (cpuPer) => ({ [figure]: cpuPer(10_000) }) };
}

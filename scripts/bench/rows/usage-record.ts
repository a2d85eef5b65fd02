// Row (l): the cost of the record of turns.

import type { Lab } from "../lab.ts";
import { loadNamed } from "../loads.ts";
import { type MeasuredLoad, measure } from "../measure.ts";
import type { Samples } from "../samples.ts";
import { startProxy } from "../subjects.ts";

/** Turns of both transports with the record of turns, and without it as the reference. */
export async function usageRecord(lab: Lab, samples: Samples): Promise<void> {
  await using started = new AsyncDisposableStack();
  const { executable } = lab;
  const subjects = [
    started.use(await startProxy(lab, { name: "codexlb", executable })),
    started.use(
      await startProxy(lab, { name: "reference", executable, config: "[usage]\nenabled = false\n" }),
    ),
  ];
  // The difference is small, so it needs more rounds than the rows whose figures differ by factors.
  const patient = { ...lab, rounds: ROUNDS_EACH * lab.rounds };
  for (const [figure, name] of [["l.sse", "b"] as const, ["l.websocket", "e"] as const])
    await measure(patient, samples, subjects, loadFor(name, figure));
}

// --- internal ---

const ROUNDS_EACH = 4;

function loadFor(name: string, figure: string): MeasuredLoad {
  return { ...loadNamed(name), figures: (cpuPer) => ({ [figure]: cpuPer(10_000) }) };
}

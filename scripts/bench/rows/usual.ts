// Rows (a) to (f): loads that run on every subject.

import type { Lab } from "../lab.ts";
import { loadNamed } from "../loads.ts";
import { measure } from "../measure.ts";
import type { Samples } from "../samples.ts";
import { direct, startSubjects } from "../subjects.ts";

/** Measures the loads with these names. */
export function usualRow(...names: readonly string[]): (lab: Lab, samples: Samples) => Promise<void> {
  return async (lab, samples) => {
    await using started = new AsyncDisposableStack();
    const subjects = await startSubjects(lab);
    for (const subject of subjects) started.use(subject);
    for (const name of names) {
      await measure(lab, samples, [...subjects, direct(lab)], loadNamed(name));
    }
  };
}

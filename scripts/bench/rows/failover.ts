// Row (k): the time that a failover takes.

import { ACCOUNTS, type Lab } from "../lab.ts";
import { measure } from "../measure.ts";
import type { Samples } from "../samples.ts";
import { direct, startSubjects } from "../subjects.ts";

/** Turns that the first account refuses. Every refusal takes an account of the proxy out of service. */
export async function failover(lab: Lab, samples: Samples): Promise<void> {
  await using started = new AsyncDisposableStack();
  const subjects = await startSubjects(lab, ACCOUNTS);
  for (const subject of subjects) started.use(subject);
  const operations = Math.min(100, Math.floor((ACCOUNTS - 2 * WARM_UP) / lab.rounds));
  await measure(lab, samples, [...subjects, direct(lab)], {
    spec: ({ origin, headers }) => ({ kind: "failovers", origin, headers }),
    operations,
    warmUp: WARM_UP,
    figures: (_cpuPer, { failoverP50 = Number.NaN, failoverP99 = Number.NaN }) => ({
      "k.failoverP50": failoverP50,
      "k.failoverP99": failoverP99,
    }),
  });
}

// --- internal ---

const WARM_UP = 200;

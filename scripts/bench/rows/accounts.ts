// Row (h): the cost of many accounts.

import { ACCOUNTS, type Lab } from "../lab.ts";
import { measure } from "../measure.ts";
import { PATHS } from "../protocol.ts";
import type { Samples } from "../samples.ts";
import { startProxy } from "../subjects.ts";

/** Turns over SSE with 1,000 accounts, and with 2 as the reference. */
export async function manyAccounts(lab: Lab, samples: Samples): Promise<void> {
  await using started = new AsyncDisposableStack();
  const { executable, baseline, peer } = lab;
  const subjects = [
    started.use(await startProxy(lab, { name: "codexlb", executable, accounts: ACCOUNTS })),
    started.use(await startProxy(lab, { name: "reference", executable, accounts: 2 })),
  ];
  for (const [name, other] of [["baseline", baseline] as const, ["peer", peer] as const])
    if (other !== undefined)
      subjects.push(started.use(await startProxy(lab, { name, executable: other, accounts: ACCOUNTS })));
  for (const freshSessions of [false, true])
    await measure(lab, samples, subjects, {
      spec: ({ origin, headers }) => ({
        kind: "requests",
        origin,
        headers,
        path: PATHS.turn,
        bodyBytes: 1_000,
        connections: 64,
        freshSessions,
      }),
      operations: 4_000,
      warmUp: 6_000,
      figures: (cpuPer) => ({ [freshSessions ? "h.fresh" : "h.kept"]: cpuPer(10_000) }),
    });
}

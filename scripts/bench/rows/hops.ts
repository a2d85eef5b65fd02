// Row (i): the cost of each additional proxy in a chain.

import type { Lab } from "../lab.ts";
import { startLoad } from "../load-process.ts";
import { type MeasuredLoad, measureRound } from "../measure.ts";
import { PATHS } from "../protocol.ts";
import type { Samples } from "../samples.ts";
import { chained, type ProxyOptions, type Subject, startProxy } from "../subjects.ts";

/** Turns over SSE through one, two and three proxies. Measures the CPU time of all proxies together. */
export async function hops(lab: Lab, samples: Samples): Promise<void> {
  await using started = new AsyncDisposableStack();
  const { executable, baseline } = lab;
  const entries = await startChain(lab, { name: "codexlb", executable }, started);
  if (baseline !== undefined)
    entries.push(...(await startChain(lab, { name: "baseline", executable: baseline }, started)));
  const runs: { readonly entry: Subject; readonly run: () => Promise<number> }[] = [];
  for (const entry of entries) {
    const load = started.use(await startLoad(LOAD.spec(entry)));
    await load.run(LOAD.warmUp);
    const run = async () => (await measureRound(entry, load, LOAD)).cpu ?? Number.NaN;
    runs.push({ entry, run });
  }
  for (let round = 0; round < lab.rounds; round++) {
    const costs = new Map<Subject["name"], number[]>();
    for (const { entry, run } of runs) costs.set(entry.name, [...(costs.get(entry.name) ?? []), await run()]);
    for (const [name, [one = Number.NaN, two = Number.NaN, three = Number.NaN]] of costs) {
      samples.add("i.second", name, two - one);
      samples.add("i.third", name, three - two);
      if (name !== "codexlb") continue;
      samples.add("i.second", "reference", one);
      samples.add("i.third", "reference", one);
    }
  }
}

// --- internal ---

const DEPTH = 3;

const LOAD: MeasuredLoad = {
  spec: ({ origin, headers }) => ({
    kind: "requests",
    origin,
    headers,
    path: PATHS.turn,
    bodyBytes: 1_000,
    connections: 32,
  }),
  operations: 3_000,
  warmUp: 5_000,
  figures: (cpuPer) => ({ cpu: cpuPer(10_000) }),
};

/** Starts a chain. Returns the entries to it through one, two and three proxies. */
async function startChain(
  lab: Lab,
  options: ProxyOptions,
  started: AsyncDisposableStack,
): Promise<Subject[]> {
  const proxies: Subject[] = [];
  const entries: Subject[] = [];
  for (let hop = 0; hop < DEPTH; hop++) {
    const behind = proxies[0];
    const child = behind === undefined ? {} : { child: behind.origin };
    const proxy = started.use(await startProxy(lab, { ...options, ...child }));
    entries.push(chained(proxy, proxies));
    proxies.unshift(proxy);
  }
  return entries;
}

// `make profile`: runs the proxy from the sources under Bun's profiler, with a load of `make bench`, and prints the
// time of each function. ROW names the load (a key of `LOADS`), ACCOUNTS sets the accounts of the proxy (default 2, at
// most 1,000), TOP the number of functions to print (default 40).

import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type FunctionTime, functionTimes } from "./cpu-profile.ts";
import { openLab } from "./lab.ts";
import { startLoad } from "./load-process.ts";
import { LOADS } from "./loads.ts";
import { freePort, listening } from "./ports.ts";
import { cpuSeconds } from "./process-figures.ts";
import { startProgram } from "./program.ts";
import { proxyArgs, proxyEnv, proxySubject } from "./subjects.ts";

const REPOSITORY = join(import.meta.dir, "..", "..");
/** The number of rounds, because a profile needs more operations than one round has. */
const ROUNDS = 4;

const { ROW = "b", ACCOUNTS = "2", TOP = "40" } = process.env;
const load = LOADS[ROW];
if (load === undefined) {
  console.error(`ROW=${ROW} is not a load; choose one of ${Object.keys(LOADS).join(", ")}`);
  process.exit(2);
}

await using lab = await openLab({ baseline: undefined, peer: undefined, rounds: ROUNDS, log: console.log });
const profiles = join(lab.directory, "profiles");
mkdirSync(profiles);
const port = freePort();
const proxy = startProgram(
  [
    process.execPath,
    "--cpu-prof",
    `--cpu-prof-dir=${profiles}`,
    join(REPOSITORY, "src", "main.ts"),
    ...proxyArgs(lab, { accounts: Number(ACCOUNTS) }, port),
  ],
  { cwd: lab.directory, env: { ...proxyEnv(lab, {}), BUN_CONFIG_MAX_HTTP_REQUESTS: "65336" } },
);
await listening(port);
{
  await using running = await startLoad(load.spec(proxySubject(port, proxy)));
  await running.run(load.warmUp + ROUNDS * load.operations);
}
const cpu = cpuSeconds(proxy.pid);
await proxy.stop();

const [file] = readdirSync(profiles);
if (file === undefined) throw new Error("the profiled proxy has written no profile");
const times = functionTimes(await Bun.file(join(profiles, file)).json(), REPOSITORY);
const allMs = times.reduce((sum, { selfMs }) => sum + selfMs, 0);
console.log(
  `load ${ROW}: ${cpu.toFixed(2)} CPU-s of all threads, ${(allMs / 1000).toFixed(2)} s sampled (including the time in which the proxy waited for a processor)`,
);
print("self", ({ selfMs }) => selfMs);
print("total", ({ totalMs }) => totalMs);

function print(what: string, of: (time: FunctionTime) => number): void {
  console.log(`\n${what.padStart(10)}        function`);
  for (const time of [...times].sort((a, b) => of(b) - of(a)).slice(0, Number(TOP)))
    console.log(
      `${of(time).toFixed(0).padStart(7)} ms ${((of(time) / allMs) * 100).toFixed(1).padStart(5)} %  ${time.name}`,
    );
}

// Measures how long the commands of shell prompts and status bars take, compared with a program that only prints hello
// and was built in the same way. The runs alternate, so that other load on the machine affects both. Fails if codexlb
// takes more than 1.3 times as long.

import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executable } from "../test/support/executable.ts";
import { buildExecutable } from "./build-executable.ts";
import { hostTarget } from "./bun-runtime.mjs";
import { median } from "./measure.ts";
import { targetOf } from "./targets.ts";

const COPIES = 12;
/** The runs of each copy. The first one is not counted. */
const ROUNDS = 16;
const MOST_TIMES = 1.3;

interface Run {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  /** Milliseconds. */
  readonly times: number[];
}

using tool = executable();
const source = join(tool.directory, "hello.ts");
const hello = join(tool.directory, "hello");
writeFileSync(source, 'console.log("hello");\n');
const problems = await buildExecutable({
  entry: source,
  outfile: hello,
  target: targetOf(hostTarget()),
  runtime: process.execPath,
  version: "0",
  commit: "0",
  date: "",
});
if (problems.length > 0) throw new Error(problems.join("\n"));

const logins = join(tool.directory, "logins");
mkdirSync(logins);
const mock = await tool.start(["mock", "--port", "0", "--accounts", "alice:3,bob:3", "--homes", logins]);
const backend = /on (http:\S+)/.exec(mock.firstLine)?.[1] ?? "";
const env = { CODEXLB_TOKEN_URL: `${new URL(backend).origin}/oauth/token` };
for (const alias of ["alice", "bob"])
  await tool.run(["account", "import", "--from", join(logins, alias), alias]);
const proxy = await tool.start(["proxy", "--listen", "127.0.0.1:0", "--upstream", backend], env);

const RUNS: readonly Run[] = [
  { name: "hello", file: hello, args: [], times: [] },
  { name: "codexlb --version", file: tool.path, args: ["--version"], times: [] },
  { name: "codexlb status --short", file: tool.path, args: ["status", "--short"], times: [] },
];
// Use many copies of each executable, because a file's place in memory makes more difference than what is measured.
for (let copy = 0; copy < COPIES; copy++) {
  const files = RUNS.map(({ file }, index) => {
    const path = join(tool.directory, `copy-${copy}-${index}`);
    copyFileSync(file, path);
    chmodSync(path, 0o755);
    return path;
  });
  for (let round = 0; round < ROUNDS; round++)
    for (const offset of RUNS.keys()) {
      // Run each program after each of the others, because the previous run affects the caches.
      const index = (offset + round) % RUNS.length;
      const run = RUNS[index];
      const took = await timeOf([files[index] ?? "", ...(run?.args ?? [])]);
      if (round > 0) run?.times.push(took);
    }
  for (const path of files) rmSync(path);
}
await proxy.stop();
await mock.stop();

const [base, ...ours] = RUNS.map(({ name, times }) => ({ name, ms: median(times) }));
if (base === undefined) throw new Error("nothing was measured");
console.log(`${base.name}: ${base.ms.toFixed(1)} ms`);
for (const { name, ms } of ours) {
  const times = ms / base.ms;
  console.log(`${name}: ${ms.toFixed(1)} ms, ${times.toFixed(2)} times hello (at most ${MOST_TIMES})`);
  if (times > MOST_TIMES) process.exitCode = 1;
}

async function timeOf(argv: string[]): Promise<number> {
  const startedMs = performance.now();
  const child = Bun.spawn(argv, { env: tool.env(), stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [code, out] = await Promise.all([child.exited, child.stdout.text()]);
  const took = performance.now() - startedMs;
  if (code !== 0 || out === "") throw new Error(`${argv.join(" ")} ended with code ${code}`);
  return took;
}

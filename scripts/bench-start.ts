// Measures how long it takes until the program has answered what prompts and status bars ask, against a program that
// only says hello and was built in the same way. The runs alternate, so that whatever else the machine does hits both.
// Fails when ours takes more than 1.3 times as long.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executable } from "../test/support/executable.ts";
import { buildExecutable } from "./build-executable.ts";
import { median } from "./measure.ts";

const ROUNDS = 100;
const MOST_TIMES = 1.3;

using tool = executable();
const source = join(tool.directory, "hello.ts");
const hello = join(tool.directory, "hello");
writeFileSync(source, 'console.log("hello");\n');
const problems = await buildExecutable({
  entry: source,
  outfile: hello,
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

const COMMANDS = [["--version"], ["status", "--short"]] as const;
const times = COMMANDS.map((): number[] => []);
const ratios = COMMANDS.map((): number[] => []);
const helloTimes: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const base = await timeOf([hello]);
  helloTimes.push(base);
  for (const [index, args] of COMMANDS.entries()) {
    const own = await timeOf([tool.path, ...args]);
    times[index]?.push(own);
    ratios[index]?.push(own / base);
  }
}
await proxy.stop();
await mock.stop();

console.log(`hello: ${median(helloTimes).toFixed(1)} ms`);
for (const [index, args] of COMMANDS.entries()) {
  const ratio = median(ratios[index] ?? []);
  console.log(
    `codexlb ${args.join(" ")}: ${median(times[index] ?? []).toFixed(1)} ms, ${ratio.toFixed(2)} times hello (at most ${MOST_TIMES})`,
  );
  if (ratio > MOST_TIMES) process.exitCode = 1;
}

async function timeOf(argv: string[]): Promise<number> {
  const startedMs = performance.now();
  const child = Bun.spawn(argv, { env: tool.env(), stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [code, out] = await Promise.all([child.exited, child.stdout.text()]);
  const took = performance.now() - startedMs;
  if (code !== 0 || out === "") throw new Error(`${argv.join(" ")} ended with code ${code}`);
  return took;
}

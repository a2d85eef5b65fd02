// Row (j): the time until the commands of prompts and status bars have exited, and until a started proxy has responded
// to its first request.

import { chmodSync, copyFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SubjectName } from "../figures.ts";
import { compile, type Lab } from "../lab.ts";
import { turnBody, turnHeaders } from "../load/body.ts";
import { freePort } from "../ports.ts";
import { startProgram } from "../program.ts";
import { PATHS } from "../protocol.ts";
import type { Samples } from "../samples.ts";
import { proxyArgs, proxyEnv, proxyRoot, proxySubject, startProxy } from "../subjects.ts";

/** Compares the commands with a program that only prints a line and was built in the same way. */
export async function start(lab: Lab, samples: Samples): Promise<void> {
  const source = join(lab.directory, "hello.ts");
  const hello = join(lab.directory, "hello");
  writeFileSync(source, 'console.log("hello");\n');
  await compile(source, hello);
  await commands(lab, samples, hello);
  const executables = [
    { name: "codexlb", executable: lab.executable } as const,
    ...(lab.baseline === undefined ? [] : [{ name: "baseline", executable: lab.baseline } as const]),
  ];
  for (let round = 0; round < STARTS; round++)
    for (const { name, executable } of executables)
      samples.add("j.answer", name, await firstAnswerMs(lab, executable));
}

// --- internal ---

const COPIES = 6;
/** The number of runs of each copy. The first run does not count. */
const RUNS_OF_COPY = 13;
const STARTS = 7;

interface Command {
  readonly figures: readonly string[];
  readonly subject: SubjectName;
  readonly executable: string;
  readonly args: readonly string[];
}

async function commands(lab: Lab, samples: Samples, hello: string): Promise<void> {
  await using proxy = await startProxy(lab, { name: "codexlb", executable: lab.executable });
  const root = ["--root", proxyRoot(lab, Number(new URL(proxy.origin).port))];
  const of = (subject: SubjectName, executable: string): Command[] => [
    { figures: ["j.version"], subject, executable, args: ["--version"] },
    { figures: ["j.status"], subject, executable, args: ["status", "--short", ...root] },
  ];
  const all: Command[] = [
    { figures: ["j.version", "j.status"], subject: "reference", executable: hello, args: [] },
    ...of("codexlb", lab.executable),
    ...(lab.baseline === undefined ? [] : of("baseline", lab.baseline)),
  ];
  // The position of a file in memory matters more than the measured difference, so there are many copies of each file.
  for (let copy = 0; copy < COPIES; copy++) {
    const files = all.map(({ executable }, index) => {
      const path = join(lab.directory, `copy-${copy}-${index}`);
      copyFileSync(executable, path);
      chmodSync(path, 0o755);
      return path;
    });
    for (let run = 0; run < RUNS_OF_COPY; run++)
      for (const offset of all.keys()) {
        // The order rotates, so that each command follows each of the others, because a command changes the caches.
        const index = (offset + run) % all.length;
        const { figures = [], subject = "codexlb", args = [] } = all[index] ?? {};
        const tookMs = await commandMs([files[index] ?? "", ...args], lab.directory);
        if (run > 0) for (const figure of figures) samples.add(figure, subject, tookMs);
      }
    for (const path of files) rmSync(path);
  }
}

async function commandMs(argv: string[], home: string): Promise<number> {
  const beganMs = performance.now();
  const env = { PATH: process.env.PATH ?? "", HOME: home };
  const child = Bun.spawn(argv, { env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [code, out] = await Promise.all([child.exited, child.stdout.text()]);
  const tookMs = performance.now() - beganMs;
  if (code !== 0 || out === "") throw new Error(`${argv.join(" ")} exited with code ${code}`);
  return tookMs;
}

/** The time from the start of a proxy with two accounts to its first response, ms. */
async function firstAnswerMs(lab: Lab, executable: string): Promise<number> {
  const port = freePort();
  const args = proxyArgs(lab, {}, port);
  const beganMs = performance.now();
  await using program = startProgram([executable, ...args], { cwd: lab.directory, env: proxyEnv(lab, {}) });
  const { origin, headers } = proxySubject(port, program);
  const body = turnBody("start", 350);
  for (;;) {
    const response = await fetch(origin + PATHS.small, {
      method: "POST",
      headers: turnHeaders(headers, "start"),
      body,
      proxy: false,
    }).catch(() => undefined);
    if (response?.ok) {
      await response.arrayBuffer();
      return performance.now() - beganMs;
    }
    if (performance.now() - beganMs > LONGEST_START_MS) throw new Error(`${executable} does not respond`);
    await Bun.sleep(1);
  }
}

const LONGEST_START_MS = 10_000;

// The line at the end of an interactive run. In place of Codex runs a program that takes a turn in two threads, of which
// it saves the first.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CliRan, runCli } from "../../support/cli.ts";
import { startPool, type TestPool } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

const SAVED = "01a2223e-672e-7950-a46f-6614f33f0cc4";
const HIDDEN = "01a2223e-9e6f-76a3-aa0e-d83f82825d1c";

let temp: TempDirectory;
let pool: TestPool;
let codex = "";
beforeAll(async () => {
  temp = tempDirectory();
  pool = await startPool({ accounts: [{ alias: "alice" }] });
  const source = join(temp.path, "codex.ts");
  const client = join(import.meta.dir, "..", "..", "..", "src", "mock", "client.ts");
  writeFileSync(
    source,
    `import { mkdirSync, writeFileSync } from "node:fs";
import { createSseClient } from ${JSON.stringify(client)};
const url = process.argv.join("\\n").match(/openai_base_url="(.*)\\/backend-api\\/codex"/)?.[1] ?? "";
const day = process.env.CODEX_HOME + "/sessions/2026/11/28";
mkdirSync(day, { recursive: true });
if (process.argv.includes("save")) writeFileSync(day + "/rollout-2026-11-28T13-00-00-${SAVED}.jsonl", "");
for (const id of ["${SAVED}", "${HIDDEN}"]) await createSseClient(url, id).turn("hi");
`,
  );
  codex = join(temp.path, "codex");
  writeFileSync(codex, `#!/bin/sh\nexec '${process.execPath}' '${source}' "$@"\n`, { mode: 0o755 });
  mkdirSync(join(temp.path, "home"));
});
afterAll(async () => {
  await pool[Symbol.asyncDispose]();
  temp[Symbol.dispose]();
});

const run = (args: readonly string[], terminal?: number): Promise<CliRan> =>
  runCli(["run", "--root", pool.layout.root, "--codex-bin", codex, ...args], {
    cwd: temp.path,
    env: { SHELL: "/bin/sh" },
    ...(terminal === undefined ? {} : { terminal }),
  });

describe("the end of a run on a terminal", () => {
  test("names the command that continues the saved thread, with the flags of the run", async () => {
    const ran = await run(["--codex-home", join(temp.path, "own home"), "save"], 400);
    expect(ran.out).toEndWith(
      `codexlb: to continue this session in the pool, run: codexlb run --root ${pool.layout.root} --codex-bin ${codex} --codex-home '${temp.path}/own home' resume ${SAVED}\n`,
    );
  });

  test("does not if Codex saved no thread, if it is not interactive, or without a terminal", async () => {
    const isolated = ["--isolated-home"];
    expect((await run(isolated, 400)).out).not.toContain("to continue this session");
    expect((await run([...isolated, "exec", "save"], 400)).out).not.toContain("to continue this session");
    const piped = await run([...isolated, "save"]);
    expect(piped.out + piped.err).not.toContain("to continue this session");
  });
});

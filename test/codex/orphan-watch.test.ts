import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

let temp: TempDirectory;
beforeAll(() => {
  temp = tempDirectory();
});
afterAll(() => temp[Symbol.dispose]());

let serial = 0;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // An ended process stays in the process table until its new parent collects it.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch (error) {
    // Without /proc only the id can be checked.
    return (error as { code?: string }).code === "ENOENT" && process.platform !== "linux";
  }
}

/** Starts `script` as Codex; resolves to it and the process that runs it. */
async function started(script: string, shell?: string) {
  const name = join(temp.path, `codex-${++serial}`);
  writeFileSync(
    name,
    `#!/bin/sh\n${script}\necho $$ > ${name}.pid\ni=0\nwhile [ $i -lt 2400 ]; do sleep 0.05; i=$((i + 1)); done\n`,
    {
      mode: 0o755,
    },
  );
  const options = { shell, command: { binary: name, args: [], env: {}, directHosts: [] } };
  const run = Bun.spawn([process.execPath, join(import.meta.dir, "run-driver.ts"), JSON.stringify(options)], {
    // Away from bunfig.toml, whose noOrphans would end Codex first.
    cwd: temp.path,
    env: { PATH: process.env.PATH ?? "", HOME: temp.path },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
  });
  const pidFile = `${name}.pid`;
  await until("Codex runs", () => existsSync(pidFile) && readFileSync(pidFile, "utf8") !== "", 20_000);
  const pid = Number(readFileSync(pidFile, "utf8"));
  await until("the watch is over Codex", () => watcherOf(pid) !== undefined, 20_000);
  return { name, run, pid };
}

/** The watcher of `pid`. */
function watcherOf(pid: number): number | undefined {
  const line = Bun.spawnSync(["ps", "-A", "-o", "pid=,args="])
    .stdout.toString()
    .split("\n")
    .find((one) => one.endsWith(`codexlb-watch ${pid}`));
  return line === undefined ? undefined : Number.parseInt(line, 10);
}

test.each([undefined, "/bin/sh"])("Codex ends when its run is killed, with login shell %p", async (shell) => {
  const { name, run, pid } = await started(`trap 'touch "$0.term"; exit' TERM`, shell);
  run.kill("SIGKILL");
  await until("Codex has ended", () => !isAlive(pid), 20_000);
  expect(existsSync(`${name}.term`)).toBe(true);
});

test("Codex ends when its run is killed while both are stopped", async () => {
  const { run, pid } = await started("");
  process.kill(pid, "SIGSTOP");
  run.kill("SIGSTOP");
  run.kill("SIGKILL");
  await until("Codex has ended", () => !isAlive(pid), 20_000);
});

test("Codex that ignores SIGTERM is killed after its run", async () => {
  const { run, pid } = await started("trap '' TERM");
  run.kill("SIGKILL");
  await until("Codex has ended", () => !isAlive(pid), 40_000);
});

test("the watch ends when Codex exits", async () => {
  const { run, pid } = await started("");
  const watcher = watcherOf(pid) ?? 0;
  process.kill(pid, "SIGTERM");
  expect(await run.exited).toBe(255);
  await until("the watcher has ended", () => !isAlive(watcher), 20_000);
});

// Runs as root in separate mount, network and process namespaces. Creates a read-only root file system, starts the
// image's command in it like Docker, and prints a `ContainerReport` as JSON.
// Arguments: a directory for the root file system, the executable, and a `ContainerCase` as JSON.

import {
  copyFileSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { until } from "../../support/pool.ts";
import type { ContainerCase, ContainerReport } from "./container-case.ts";

const [directory = "", executable = "", json = "{}"] = process.argv.slice(2);
const { command, health, env, uid, configToml, healthzUrl } = JSON.parse(json) as ContainerCase;
const tree = join(directory, "tree");
const data = join(directory, "data");

/** System directories that the programs need. In the image they come from Debian. */
const SYSTEM = ["usr", "bin", "sbin", "lib", "lib64", "etc"];

makeTree();
console.log(JSON.stringify(await report()));

function makeTree(): void {
  for (const name of ["tree", "data", "bin"]) mkdirSync(join(directory, name), { mode: 0o755 });
  run("mount", "--bind", tree, tree);
  for (const name of SYSTEM) {
    const stat = lstatSync(`/${name}`, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink()) symlinkSync(readlinkSync(`/${name}`), join(tree, name));
    else if (stat !== undefined) bindReadOnly(`/${name}`, name);
  }
  copyFileSync(executable, join(directory, "bin", "codexlb"));
  bindReadOnly(join(directory, "bin"), "usr/local/bin");
  for (const name of ["proc", "dev", "tmp", "data"]) mkdirSync(join(tree, name));
  run("mount", "-t", "proc", "proc", join(tree, "proc"));
  run("mount", "--rbind", "/dev", join(tree, "dev"));
  run("mount", "-t", "tmpfs", "-o", "mode=1777,noexec,nosuid,nodev", "tmpfs", join(tree, "tmp"));
  writeFileSync(join(data, "config.toml"), configToml);
  run("chown", "-R", `${uid}:${uid}`, data);
  run("chmod", "700", data);
  run("mount", "--bind", data, join(tree, "data"));
  run("mount", "-o", "remount,bind,ro", tree);
  run("ip", "link", "set", "lo", "up");
}

async function report(): Promise<ContainerReport> {
  const proxy = Bun.spawn(inside(command), { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  await until("the proxy responds", () => answers(healthzUrl), 30_000);
  const status = readFileSync(`/proc/${proxy.pid}/status`, "utf8");
  const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, "m").exec(status)?.[1] ?? "";
  const healthCode = Bun.spawnSync(inside(health), { stderr: "inherit" }).exitCode;
  const writeCode = Bun.spawnSync(inside(["touch", "/usr/local/bin/other", "/other"])).exitCode;
  proxy.kill("SIGTERM");
  return {
    uid: field("Uid"),
    capabilities: field("CapBnd"),
    noNewPrivileges: field("NoNewPrivs"),
    healthCode,
    writeCode,
    exitCode: await proxy.exited,
    output: await proxy.stdout.text(),
  };
}

/** The command line of a process with the container's root file system, user, environment and privileges. */
function inside(words: readonly string[]): string[] {
  return [
    ...["chroot", tree, "setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--no-new-privs"],
    ...["--bounding-set=-all", "--inh-caps=-all", "env", "--ignore-environment", "--chdir=/data"],
    ...Object.entries({ PATH: "/usr/local/bin:/usr/bin:/bin", ...env }).map(
      ([name, value]) => `${name}=${value}`,
    ),
    ...words,
  ];
}

function bindReadOnly(source: string, target: string): void {
  mkdirSync(join(tree, target), { recursive: true });
  run("mount", "--bind", source, join(tree, target));
  run("mount", "-o", "remount,bind,ro", join(tree, target));
}

function run(...argv: string[]): void {
  const ran = Bun.spawnSync(argv, { stdout: "ignore", stderr: "pipe" });
  if (ran.exitCode !== 0) throw new Error(`${argv.join(" ")}: ${ran.stderr}`);
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false; // the proxy does not listen yet
  }
}

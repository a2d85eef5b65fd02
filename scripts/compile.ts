// Builds the single-file executable: `bun scripts/compile.ts [--target linux-x64] [--out dist/codexlb]`.
// Without a target it builds for this machine. The version comes from package.json, the commit from git.

import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import packageJson from "../package.json";
import { buildExecutable } from "./build-executable.ts";
import { BUN_VERSION, fetchRuntime, hostTarget } from "./bun-runtime.mjs";

const { values } = parseArgs({
  options: { target: { type: "string" }, out: { type: "string", default: "dist/codexlb" } },
});

if (Bun.version !== BUN_VERSION) {
  console.error(`this build is pinned to Bun ${BUN_VERSION}, and this is ${Bun.version}; use make build`);
  process.exit(1);
}

const target = values.target ?? hostTarget();
mkdirSync(dirname(values.out), { recursive: true });
const problems = await buildExecutable({
  entry: "src/main.ts",
  outfile: values.out,
  // Another platform's runtime comes from the registry, by its pinned hash.
  runtime: values.target === undefined ? process.execPath : fetchRuntime(target),
  version: packageJson.version,
  commit: commit(),
  date: commitDate(),
});
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log(
  `built ${values.out} for ${target} (${(Bun.file(values.out).size / 1024 / 1024).toFixed(0)} MiB)`,
);

function commit(): string {
  const hash = Bun.spawnSync(["git", "rev-parse", "--short=12", "HEAD"], { stderr: "ignore" });
  if (!hash.success) return "unknown";
  const dirty = Bun.spawnSync(["git", "status", "--porcelain"], { stderr: "ignore" }).stdout.length > 0;
  return `${hash.stdout.toString().trim()}${dirty ? "-dirty" : ""}`;
}

/** A day, as git says it; empty when it does not know. */
function commitDate(): string {
  const day = Bun.spawnSync(["git", "show", "--no-patch", "--format=%cs", "HEAD"], { stderr: "ignore" });
  return day.success ? day.stdout.toString().trim() : "";
}

// Builds the single-file executable: `bun scripts/compile.ts [--target linux-arm64] [--out dist/codexlb]`.
// Without a target it builds for this machine. The version comes from package.json, and the commit and its day from
// git. --version, --commit and --date override them for the container image, which is built without git.

import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import packageJson from "../package.json";
import { buildExecutable } from "./build-executable.ts";
import { BUN_VERSION, fetchRuntime, hostTarget } from "./bun-runtime.mjs";
import { commitName, readCommit } from "./commit.ts";
import { runtimeNameOf, targetOf } from "./targets.ts";

const { values } = parseArgs({
  options: {
    target: { type: "string" },
    out: { type: "string", default: "dist/codexlb" },
    version: { type: "string", default: packageJson.version },
    commit: { type: "string" },
    date: { type: "string" },
  },
});

if (Bun.version !== BUN_VERSION) {
  console.error(`the build needs Bun ${BUN_VERSION}, but this is ${Bun.version}; use make build`);
  process.exit(1);
}

const target = values.target ?? targetOf(hostTarget());
const commit = readCommit(".");
mkdirSync(dirname(values.out), { recursive: true });
const problems = await buildExecutable({
  entry: "src/main.ts",
  outfile: values.out,
  target,
  // Fetch another platform's runtime from the registry, and verify it with its pinned hash.
  runtime: values.target === undefined ? process.execPath : fetchRuntime(runtimeNameOf(target)),
  version: values.version,
  commit: values.commit ?? commitName(commit),
  date: values.date ?? commit?.day ?? "",
});
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log(
  `built ${values.out} for ${target} (${(Bun.file(values.out).size / 1024 / 1024).toFixed(0)} MiB)`,
);

// Builds a release for every platform on one Linux machine:
// `bun scripts/release/release.ts [--version 1.2.3] [--targets linux-x64,darwin-arm64] [--out dist/release]`.
// Builds are reproducible: the same commit gives the same bytes, in any directory and at any time.

import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import packageJson from "../../package.json";
import { CodexlbError } from "../../src/errors.ts";
import { buildExecutable } from "../build-executable.ts";
import { BUN_VERSION, fetchRuntime, INTEGRITY } from "../bun-runtime.mjs";
import { type Commit, commitName, readCommit } from "../commit.ts";
import { RELEASE_TARGETS, type ReleaseTarget, runtimeNameOf } from "../targets.ts";
import { billOfMaterials } from "./bill-of-materials.ts";
import { bundledPackages } from "./bundled-packages.ts";
import { writeChecksums } from "./checksums.ts";
import { checkSignature, requireAdHocWithJit } from "./code-signature.ts";
import { releaseReadme } from "./readme.ts";
import { writeTarball } from "./tarball.ts";
import { parseVersion } from "./version.ts";

const PROJECT = resolve(import.meta.dir, "../..");

try {
  const { values } = parseArgs({
    options: {
      version: { type: "string", default: packageJson.version },
      targets: { type: "string", default: RELEASE_TARGETS.join(",") },
      out: { type: "string", default: "dist/release" },
    },
  });
  const out = resolve(values.out);
  // Change the directory, because paths in the executable are relative to it.
  process.chdir(PROJECT);
  await release(parseVersion(values.version), parseTargets(values.targets), out);
} catch (error) {
  if (!(error instanceof CodexlbError)) throw error;
  console.error(`release: ${error.message}${error.next === undefined ? "" : `\n  ${error.next}`}`);
  process.exit(error.exitCode);
}

/** Writes the release of `version` to `out`, and replaces existing files there. */
async function release(version: string, targets: readonly ReleaseTarget[], out: string): Promise<void> {
  requirePinnedBun();
  const commit = cleanCommit();
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const work = mkdtempSync(join(dirname(out), "release-work-"));
  try {
    const texts = textsOf(version, commit);
    // gzip takes longer than a build, so pack each target while the next ones are built.
    const packing: Promise<void>[] = [];
    for (const target of targets) {
      const name = `codexlb-${version}-${target}`;
      const directory = join(work, name);
      for (const [path, text] of Object.entries(texts)) {
        mkdirSync(dirname(join(directory, path)), { recursive: true });
        writeFileSync(join(directory, path), text);
      }
      await build(join(directory, "codexlb"), target, version, commit);
      packing.push(writeTarball(join(out, `${name}.tar.gz`), directory, commit.seconds));
    }
    await Promise.all(packing);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const bom = billOfMaterials({
    version,
    seconds: commit.seconds,
    targets,
    packages: bundledPackages(PROJECT),
    bunVersion: BUN_VERSION,
    bunIntegrity: INTEGRITY,
  });
  writeFileSync(join(out, `codexlb-${version}.cdx.json`), bom);
  writeChecksums(out);
  console.log(`wrote codexlb ${version} (${commitName(commit)}) to ${out}`);
}

function parseTargets(list: string): ReleaseTarget[] {
  return list.split(",").map((name) => {
    const target = RELEASE_TARGETS.find((known) => known === name);
    if (target !== undefined) return target;
    throw new CodexlbError(
      "usage",
      `reading the targets of the release: ${JSON.stringify(name)} is not a target`,
      {
        next: `choose from ${RELEASE_TARGETS.join(",")}`,
      },
    );
  });
}

function requirePinnedBun(): void {
  if (Bun.version !== BUN_VERSION)
    throw new CodexlbError(
      "usage",
      `building the release: it needs Bun ${BUN_VERSION}, but this is ${Bun.version}`,
      { next: "use make release, which fetches the right Bun" },
    );
}

/** Returns the current commit. Throws `usage` if a file differs from it, unless RELEASE_DIRTY=1 is set. */
function cleanCommit(): Commit {
  const commit = readCommit(PROJECT);
  if (commit === undefined)
    throw new CodexlbError("usage", "building the release: git found no commit in this directory", {
      next: "build it in a clone of the repository",
    });
  if (commit.isDirty && process.env.RELEASE_DIRTY !== "1")
    throw new CodexlbError(
      "usage",
      "building the release: the working tree has changes that are not committed",
      {
        next: "commit or remove them (git status lists them), or set RELEASE_DIRTY=1 for a test build",
      },
    );
  return commit;
}

/** The texts of the other files in an archive, by path. They are the same for every target. */
function textsOf(version: string, commit: Commit): Readonly<Record<string, string>> {
  return {
    LICENSE: readFileSync(join(PROJECT, "LICENSE"), "utf8"),
    "README.md": releaseReadme(version),
    "man/codexlb.1": printed(["man"], version, commit),
    "completions/codexlb.bash": printed(["completions", "bash"], version, commit),
    "completions/_codexlb": printed(["completions", "zsh"], version, commit),
    "completions/codexlb.fish": printed(["completions", "fish"], version, commit),
  };
}

/** The output of codexlb, run from source code, because this machine may be unable to run any of the executables. */
function printed(words: readonly string[], version: string, commit: Commit): string {
  const defines = { CODEXLB_VERSION: version, CODEXLB_DATE: commit.day };
  const command = [
    process.execPath,
    ...Object.entries(defines).flatMap(([name, value]) => ["--define", `${name}=${JSON.stringify(value)}`]),
    join(PROJECT, "src/main.ts"),
    ...words,
  ];
  const run = Bun.spawnSync(command, { stdin: "ignore" });
  if (run.success) return run.stdout.toString();
  throw new CodexlbError("internal", `printing codexlb ${words.join(" ")}: ${run.stderr.toString().trim()}`);
}

async function build(outfile: string, target: ReleaseTarget, version: string, commit: Commit): Promise<void> {
  const problems = await buildExecutable({
    entry: "src/main.ts",
    outfile,
    target,
    runtime: fetchRuntime(runtimeNameOf(target)),
    version,
    commit: commitName(commit),
    date: commit.day,
  });
  if (problems.length > 0)
    throw new CodexlbError("internal", `building for ${target}: ${problems.join("; ")}`);
  if (target.startsWith("darwin-")) requireAdHocWithJit(checkSignature(readFileSync(outfile)));
  chmodSync(outfile, 0o755);
  console.log(`built ${target} (${(statSync(outfile).size / 1024 / 1024).toFixed(0)} MiB)`);
}

// Creates temporary release directories, with the layout of dist/release.

import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeChecksums } from "../../scripts/release/checksums.ts";
import { releaseReadme } from "../../scripts/release/readme.ts";
import { openRelease, type Release } from "../../scripts/release/release-directory.ts";
import { writeTarball } from "../../scripts/release/tarball.ts";
import { RELEASE_TARGETS, type ReleaseTarget } from "../../scripts/targets.ts";
import { tempDirectory } from "./temp.ts";

export interface ReleaseTreeOptions {
  /** Default "1.2.3". */
  readonly version?: string;
  /** The file to use as `codexlb` for some targets. Default: a small shell script as a stand-in. */
  readonly programs?: Partial<Record<ReleaseTarget, string>>;
  /** Default: all targets. */
  readonly targets?: readonly ReleaseTarget[];
}

export async function releaseTree(options: ReleaseTreeOptions = {}): Promise<Release & Disposable> {
  const { version = "1.2.3", targets = RELEASE_TARGETS, programs = {} } = options;
  const temp = tempDirectory();
  await Promise.all(
    targets.map(async (target) => {
      const name = `codexlb-${version}-${target}`;
      const top = join(temp.path, name);
      mkdirSync(join(top, "man"), { recursive: true });
      mkdirSync(join(top, "completions"));
      const program = join(top, "codexlb");
      const given = programs[target];
      if (given === undefined) writeFileSync(program, standIn(version, target));
      else copyFileSync(given, program);
      chmodSync(program, 0o755);
      copyFileSync(join(import.meta.dir, "..", "..", "LICENSE"), join(top, "LICENSE"));
      writeFileSync(join(top, "README.md"), releaseReadme(version));
      for (const [file, args] of GENERATED)
        writeFileSync(join(top, file), Bun.spawnSync([program, ...args], { env: {} }).stdout);
      await writeTarball(join(temp.path, `${name}.tar.gz`), top, RELEASE_TIME);
      rmSync(top, { recursive: true });
    }),
  );
  writeFileSync(join(temp.path, `codexlb-${version}.cdx.json`), "{}\n");
  writeChecksums(temp.path);
  return { ...openRelease(temp.path), [Symbol.dispose]: () => temp[Symbol.dispose]() };
}

/** True if there is an executable to test. Otherwise prints why `what` is not tested. */
export function hasExecutable(what: string): boolean {
  if (process.env.CODEXLB_TEST_BINARY !== undefined) return true;
  console.log(`skipped: ${what} (CODEXLB_TEST_BINARY is not set; run make build and set it to dist/codexlb)`);
  return false;
}

const shared = new Map<ReleaseTarget, Promise<Release & Disposable>>();

/**
 * A release that contains the executable for `target`. All tests of a run share it, because packing takes seconds.
 * Tests may add files to it, but must not change existing ones.
 */
export function executableRelease(target: ReleaseTarget = "linux-x64"): Promise<Release> {
  const known = shared.get(target);
  if (known !== undefined) return known;
  const made = releaseTree({
    version: EXECUTABLE_VERSION,
    programs: { [target]: process.env.CODEXLB_TEST_BINARY ?? "" },
  }).then((release) => {
    process.once("exit", () => release[Symbol.dispose]());
    return release;
  });
  shared.set(target, made);
  return made;
}

/** The version in package.json, which is that of the executable in CODEXLB_TEST_BINARY. */
export const EXECUTABLE_VERSION: string = JSON.parse(
  readFileSync(join(import.meta.dir, "..", "..", "package.json"), "utf8"),
).version;

/** 2026-01-01: a constant time, so that trees with the same content have the same bytes. */
export const RELEASE_TIME = 1767225600;

// --- internal ---

const GENERATED = [
  ["man/codexlb.1", ["man"]],
  ["completions/codexlb.bash", ["completions", "bash"]],
  ["completions/_codexlb", ["completions", "zsh"]],
  ["completions/codexlb.fish", ["completions", "fish"]],
] as const;

function standIn(version: string, target: ReleaseTarget): string {
  return `#!/bin/sh
case "$1" in
  --version) echo "codexlb ${version} (${target})" ;;
  man) printf '.TH CODEXLB 1\\n.SH NAME\\ncodexlb \\\\- a stand-in\\n' ;;
  completions) echo "# codexlb completions for $2" ;;
  exit) exit "$2" ;;
  demo) echo "Six turns" ;;
  *) echo "$*" ;;
esac
`;
}

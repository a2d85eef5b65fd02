// A release directory in a temporary place, with the layout of dist/release.

import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addChecksums, TARGETS, type Target } from "../../scripts/release/release-directory.ts";
import { type TempDirectory, tempDirectory } from "./temp.ts";

export interface ReleaseTreeOptions {
  /** Default "1.2.3". */
  readonly version?: string;
  /** The file that linux-x64 holds as `codexlb`; default: a small shell script that stands in for it. */
  readonly program?: string;
  /** Default: all. */
  readonly targets?: readonly Target[];
}

/** Every target but linux-x64 holds a shell script, so that the tree is small and runs anywhere. */
export function releaseTree(options: ReleaseTreeOptions = {}): TempDirectory & { readonly version: string } {
  const { version = "1.2.3", targets = TARGETS } = options;
  const temp = tempDirectory();
  for (const target of targets) {
    const name = `codexlb-${version}-${target}`;
    const top = join(temp.path, name);
    mkdirSync(join(top, "man"), { recursive: true });
    mkdirSync(join(top, "completions"));
    const program = join(top, "codexlb");
    if (target === "linux-x64" && options.program !== undefined) copyFileSync(options.program, program);
    else writeFileSync(program, standIn(version, target));
    chmodSync(program, 0o755);
    for (const file of ["LICENSE", "README.md"])
      copyFileSync(join(import.meta.dir, "..", "..", file), join(top, file));
    for (const [file, args] of GENERATED)
      writeFileSync(join(top, file), Bun.spawnSync([program, ...args], { env: {} }).stdout);
    pack(temp.path, name);
    rmSync(top, { recursive: true });
  }
  writeFileSync(join(temp.path, `codexlb-${version}.cdx.json`), "{}\n");
  writeFileSync(join(temp.path, "SHA256SUMS"), "");
  addChecksums(temp.path, [
    ...targets.map((target) => `codexlb-${version}-${target}.tar.gz`),
    `codexlb-${version}.cdx.json`,
  ]);
  return { path: temp.path, version, [Symbol.dispose]: () => temp[Symbol.dispose]() };
}

/** The version of the executable that CODEXLB_TEST_BINARY names, which is that of package.json. */
export const EXECUTABLE_VERSION: string = JSON.parse(
  readFileSync(join(import.meta.dir, "..", "..", "package.json"), "utf8"),
).version;

// --- internal ---

const GENERATED = [
  ["man/codexlb.1", ["man"]],
  ["completions/codexlb.bash", ["completions", "bash"]],
  ["completions/_codexlb", ["completions", "zsh"]],
  ["completions/codexlb.fish", ["completions", "fish"]],
] as const;

/** 2026-01-01, so that trees of the same content have the same bytes. */
const MTIME = 1767225600;

function standIn(version: string, target: Target): string {
  return `#!/bin/sh
case "$1" in
  --version) echo "codexlb ${version} (${target})" ;;
  man) echo '.TH "CODEXLB" 1 2026-01-01 "codexlb ${version}" "User Commands"' ;;
  completions) echo "# codexlb completions for $2" ;;
  exit) exit "$2" ;;
  demo) echo "Six turns" ;;
  *) echo "$*" ;;
esac
`;
}

function pack(directory: string, name: string): void {
  const flags = ["--sort=name", `--mtime=@${MTIME}`, "--owner=0", "--group=0", "--numeric-owner"];
  const tar = Bun.spawnSync(
    ["tar", ...flags, "--use-compress-program=gzip -1 -n", "-cf", `${name}.tar.gz`, name],
    { cwd: directory },
  );
  if (!tar.success) throw new Error(`tar: ${tar.stderr}`);
}

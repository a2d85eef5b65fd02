// Writes releases in the format of `make release`, with any program in place of codexlb.

import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { targetOf, thisMachine } from "../../src/upgrade/target.ts";

export interface TestRelease {
  readonly version: string;
  /** Default: this machine's target. */
  readonly target?: string;
  /** The program to copy. Default: a script that prints the version. */
  readonly program?: string;
  /** Default: the correct checksum. */
  readonly sha256?: string;
  /** The name of the executable in the archive. Default: codexlb. */
  readonly name?: string;
}

/** Adds the archive to `directory` and to the SHA256SUMS there. Returns the archive's name. */
export function addRelease(directory: string, release: TestRelease): string {
  const { version, target = targetOf(thisMachine()), name = "codexlb" } = release;
  const top = `codexlb-${version}-${target}`;
  mkdirSync(join(directory, top), { recursive: true });
  const program = join(directory, top, name);
  if (release.program === undefined) writeFileSync(program, versionScript(version), { mode: 0o755 });
  else copyFileSync(release.program, program);
  writeFileSync(join(directory, top, "LICENSE"), "MIT\n");
  for (const path of EXTRAS) {
    mkdirSync(dirname(join(directory, top, path)), { recursive: true });
    writeFileSync(join(directory, top, path), `${path} of ${version}\n`);
  }
  const archive = `${top}.tar.gz`;
  const packed = Bun.spawnSync(["tar", "-czf", archive, top], {
    cwd: directory,
    env: { ...process.env, GZIP: "-1" },
  });
  if (packed.exitCode !== 0) throw new Error(`tar: ${packed.stderr}`);
  rmSync(join(directory, top), { recursive: true });
  const sum = createHash("sha256")
    .update(readFileSync(join(directory, archive)))
    .digest("hex");
  writeFileSync(join(directory, "SHA256SUMS"), `${release.sha256 ?? sum}  ${archive}\n`, { flag: "a" });
  return archive;
}

/** The manual page and completions of a release. */
const EXTRAS = [
  "man/codexlb.1",
  "completions/codexlb.bash",
  "completions/_codexlb",
  "completions/codexlb.fish",
];

/** A script that only prints the version line of codexlb `version`. */
export function versionScript(version: string): string {
  return `#!/bin/sh\necho "codexlb ${version} (0123456789ab, bun 1.4.5)"\n`;
}

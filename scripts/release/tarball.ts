// Writes reproducible archives: the same files and the same time give the same bytes.

import { basename, dirname } from "node:path";
import { CodexlbError } from "../../src/errors.ts";

/**
 * Packs `directory` into `archive`, a `.tar.gz` with the directory's name as its top level. Entries are sorted, belong
 * to root, and have the time `seconds` (Unix) and mode 755 or 644. Throws `file_unusable` if GNU tar or gzip is missing
 * or fails.
 */
export async function writeTarball(archive: string, directory: string, seconds: number): Promise<void> {
  const command = [
    "tar",
    "--create",
    `--file=${archive}`,
    "--format=ustar",
    "--sort=name",
    `--mtime=@${seconds}`,
    "--owner=0",
    "--group=0",
    "--numeric-owner",
    "--mode=u=rwX,go=rX",
    // Without --no-name, gzip stores the current time.
    "--use-compress-program=gzip --no-name",
    `--directory=${dirname(directory)}`,
    basename(directory),
  ];
  // Pass no other variables: TAR_OPTIONS, GZIP and the language would change the output.
  const env = { PATH: process.env.PATH ?? "", LC_ALL: "C" };
  const tar = Bun.spawn(command, { env, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const [problem, code] = await Promise.all([tar.stderr.text(), tar.exited]);
  if (code !== 0)
    throw new CodexlbError("file_unusable", `packing ${archive}: ${problem.trim()}`, {
      next: "build the release on Linux with GNU tar and gzip, and check the free disk space",
    });
}

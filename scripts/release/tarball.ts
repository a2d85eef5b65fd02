// Reproducible archives: the same files and the same time give the same bytes.

import { basename, dirname } from "node:path";
import { CodexlbError } from "../../src/errors.ts";

/**
 * Packs `directory` into `archive`, a `.tar.gz` with the directory's name at its top. Entries are sorted, belong to root,
 * have the time `seconds` (Unix), and the modes 755 or 644. Throws `file_unusable` without GNU tar and gzip, or if they
 * fail.
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
    // gzip would else store the time at which it packs.
    "--use-compress-program=gzip --no-name",
    `--directory=${dirname(directory)}`,
    basename(directory),
  ];
  // TAR_OPTIONS, GZIP and the language would change what tar and gzip write.
  const env = { PATH: process.env.PATH ?? "", LC_ALL: "C" };
  const tar = Bun.spawn(command, { env, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const [problem, code] = await Promise.all([tar.stderr.text(), tar.exited]);
  if (code !== 0)
    throw new CodexlbError("file_unusable", `packing ${archive}: ${problem.trim()}`, {
      next: "make the release on Linux with GNU tar and gzip, and with space on the disk",
    });
}

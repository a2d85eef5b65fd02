// Finds the archive for this machine in a release's SHA256SUMS, and unpacks it.

import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { CodexlbError, messageOf } from "../errors.ts";
import type { ReleaseSource } from "./source.ts";

/** The archive of a release for one target. */
export interface ReleaseArchive {
  readonly version: string;
  readonly target: string;
  /** The file name. */
  readonly name: string;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

/**
 * The archive for `target` with the highest version that SHA256SUMS lists. Throws `upgrade_failed` if SHA256SUMS is
 * missing, or lists no archive for `target`.
 */
export async function findArchive(source: ReleaseSource, target: string): Promise<ReleaseArchive> {
  const sums = new TextDecoder().decode(await source.read("SHA256SUMS", SUMS_LIMIT_BYTES));
  const archives = sums.split(/\r?\n/).flatMap(archiveIn);
  const [newest] = archives
    .filter((archive) => archive.target === target)
    .sort((a, b) => Bun.semver.order(b.version, a.version));
  if (newest !== undefined) return newest;
  const targets = [...new Set(archives.map((archive) => archive.target))];
  throw new CodexlbError("upgrade_failed", `${source.place} has no archive for ${target}`, {
    next:
      targets.length === 0
        ? `check ${source.by}: its SHA256SUMS lists no codexlb archive`
        : `it has archives for ${targets.join(", ")}; build one for this machine with: make build`,
  });
}

/** The parts of an archive that an upgrade installs. */
export interface ReleaseContents {
  readonly executable: Uint8Array;
  /** The manual page and the completions, by their path in the archive, such as `man/codexlb.1`. */
  readonly extras: ReadonlyMap<string, string>;
}

/** Verifies the checksum of `archive`, then reads its contents. Throws `upgrade_failed`. */
export async function contentsOf(source: ReleaseSource, archive: ReleaseArchive): Promise<ReleaseContents> {
  const bytes = await source.read(archive.name, ARCHIVE_LIMIT_BYTES);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const what = source.nameOf(archive.name);
  if (sha256 !== archive.sha256)
    throw new CodexlbError(
      "upgrade_failed",
      `verifying ${what}: its SHA-256 is ${sha256}, but SHA256SUMS lists ${archive.sha256}`,
      {
        next: "nothing was changed; download the release again, and report it if the checksums differ again",
      },
    );
  const top = `${archive.name.slice(0, -ENDING.length)}/`;
  try {
    const tar = gunzipSync(bytes, { maxOutputLength: UNPACKED_LIMIT_BYTES });
    const files = await new Bun.Archive(tar).files();
    const executable = files.get(`${top}codexlb`);
    if (executable === undefined) throw new Error(`it does not contain ${top}codexlb`);
    const extras = new Map<string, string>();
    for (const [path, file] of files)
      if (EXTRAS.some((directory) => path.startsWith(`${top}${directory}/`)))
        extras.set(path.slice(top.length), await file.text());
    return { executable: new Uint8Array(await executable.arrayBuffer()), extras };
  } catch (error) {
    throw new CodexlbError("upgrade_failed", `unpacking ${what}: ${messageOf(error)}`, {
      next: "nothing was changed; use another release",
      cause: error,
    });
  }
}

// --- internal ---

const ENDING = ".tar.gz";
/** The directories of the archive that contain extras. */
const EXTRAS: readonly string[] = ["man", "completions"];
const SUMS_LIMIT_BYTES = 1024 * 1024;
/** Several times the size of today's archives and executables. */
const ARCHIVE_LIMIT_BYTES = 256 * 1024 * 1024;
const UNPACKED_LIMIT_BYTES = 1024 * 1024 * 1024;

function archiveIn(line: string): ReleaseArchive[] {
  const [, sha256, name, version, target] =
    /^([0-9a-f]{64}) [ *](codexlb-(\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+?)?)-((?:linux|darwin)-[a-z0-9-]+)\.tar\.gz)$/.exec(
      line,
    ) ?? [];
  if (sha256 === undefined || name === undefined || version === undefined || target === undefined) return [];
  return [{ version, target, name, sha256 }];
}

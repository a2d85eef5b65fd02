// Reads a release directory, which contains one tarball per target and SHA256SUMS. The files of package managers are
// built from it.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { CodexlbError, messageOf } from "../../src/errors.ts";
import { RELEASE_TARGETS, type ReleaseTarget } from "../targets.ts";
import { CHECKSUMS } from "./checksums.ts";

export interface Release {
  readonly directory: string;
  /** The version without a leading `v`. */
  readonly version: string;
  /** The hexadecimal SHA-256 of each file name in SHA256SUMS. */
  readonly checksums: ReadonlyMap<string, string>;
}

/**
 * Opens the release in `directory`, and takes the version from the names of its tarballs.
 * Throws `file_unusable` if SHA256SUMS is missing, or lists no tarball, or tarballs of several versions.
 */
export function openRelease(directory: string): Release {
  const checksums = parseChecksums(readSums(directory));
  const versions = new Set(
    [...checksums.keys()].flatMap((name) => {
      const [, version, target] =
        /^codexlb-(\d+\.\d+\.\d+[^/]*?)-((?:linux|darwin)-.+)\.tar\.gz$/.exec(name) ?? [];
      return version !== undefined && (RELEASE_TARGETS as readonly string[]).includes(target ?? "")
        ? [version]
        : [];
    }),
  );
  const [version] = versions;
  if (version === undefined || versions.size > 1)
    throw new CodexlbError(
      "file_unusable",
      `reading ${join(directory, CHECKSUMS)}: expected tarballs of one version, found ${versions.size === 0 ? "none" : [...versions].join(", ")}`,
      { next: "remove the directory and run make release VERSION=x.y.z" },
    );
  return { directory, version, checksums };
}

/** The file name of the tarball for `target`. Throws `file_unusable` when the release does not list it. */
export function tarballName(release: Release, target: ReleaseTarget): string {
  const name = `codexlb-${release.version}-${target}.tar.gz`;
  if (!release.checksums.has(name))
    throw new CodexlbError(
      "file_unusable",
      `reading ${release.directory}: SHA256SUMS does not list ${name}`,
      {
        next: "run make release again, which builds every target",
      },
    );
  return name;
}

/** The SHA-256 of the tarball for `target`, as SHA256SUMS lists it. */
export function tarballChecksum(release: Release, target: ReleaseTarget): string {
  return release.checksums.get(tarballName(release, target)) ?? "";
}

/**
 * Verifies the tarball for `target` and unpacks it below `into`. Returns the directory that contains `codexlb`.
 * Throws `file_unusable` when the tarball is missing, differs from its checksum or cannot be unpacked.
 */
export function unpack(release: Release, target: ReleaseTarget, into: string): string {
  const name = tarballName(release, target);
  const path = join(release.directory, name);
  const found = sha256(readFileOf(path));
  if (found !== release.checksums.get(name))
    throw new CodexlbError(
      "file_unusable",
      `verifying ${path}: its SHA-256 is ${found}, but SHA256SUMS lists another`,
      {
        next: "run make release again",
      },
    );
  mkdirSync(into, { recursive: true });
  const tar = Bun.spawnSync(["tar", "-xzf", path, "-C", into, "--no-same-owner"]);
  if (!tar.success)
    throw new CodexlbError("file_unusable", `unpacking ${path}: ${tar.stderr.toString().trim()}`, {
      next: "run make release again",
    });
  return join(into, `codexlb-${release.version}-${target}`);
}

/** The time of the release in seconds since 1970. It is the modification time of every unpacked file. */
export function releaseTime(unpacked: string): number {
  return Math.floor(statSync(join(unpacked, "codexlb")).mtimeMs / 1000);
}

// --- internal ---

function readSums(directory: string): string {
  return readFileOf(join(directory, CHECKSUMS)).toString("utf8");
}

function readFileOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (thrown) {
    throw new CodexlbError("file_unusable", `reading ${path}: ${messageOf(thrown)}`, {
      next: "run make release VERSION=x.y.z first",
      cause: thrown,
    });
  }
}

function parseChecksums(text: string): Map<string, string> {
  const lines = text.matchAll(/^([0-9a-f]{64}) [ *](.+)$/gm);
  return new Map([...lines].map(([, sum = "", name = ""]) => [name, sum]));
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

// The release directory: one tarball per target and SHA256SUMS. The packages for package managers are made from it.

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CodexlbError, messageOf } from "../../src/errors.ts";

export const TARGETS = [
  "linux-x64",
  "linux-x64-baseline",
  "linux-arm64",
  "linux-x64-musl",
  "linux-arm64-musl",
  "darwin-x64",
  "darwin-arm64",
] as const;

export type Target = (typeof TARGETS)[number];

export interface Release {
  readonly directory: string;
  /** Without a leading `v`. */
  readonly version: string;
  /** Hexadecimal SHA-256 by file name, as SHA256SUMS lists them. */
  readonly checksums: ReadonlyMap<string, string>;
}

/**
 * Reads `directory`. The version is the one in the names of its tarballs.
 * Throws `file_unusable` when SHA256SUMS is missing or names no tarball, or tarballs of several versions.
 */
export function openRelease(directory: string): Release {
  const checksums = parseChecksums(readSums(directory));
  const versions = new Set(
    [...checksums.keys()].flatMap((name) => {
      const [, version, target] =
        /^codexlb-(\d+\.\d+\.\d+[^/]*?)-((?:linux|darwin)-.+)\.tar\.gz$/.exec(name) ?? [];
      return version !== undefined && (TARGETS as readonly string[]).includes(target ?? "") ? [version] : [];
    }),
  );
  const [version] = versions;
  if (version === undefined || versions.size > 1)
    throw new CodexlbError(
      "file_unusable",
      `reading ${join(directory, "SHA256SUMS")}: expected tarballs of one version, found ${versions.size === 0 ? "none" : [...versions].join(", ")}`,
      { next: "remove the directory and run make release VERSION=x.y.z" },
    );
  return { directory, version, checksums };
}

/** The file name of the tarball for `target`. Throws `file_unusable` when the release does not list it. */
export function tarballName(release: Release, target: Target): string {
  const name = `codexlb-${release.version}-${target}.tar.gz`;
  if (!release.checksums.has(name))
    throw new CodexlbError(
      "file_unusable",
      `reading ${release.directory}: SHA256SUMS does not list ${name}`,
      {
        next: "run make release again; it builds every target",
      },
    );
  return name;
}

/** The SHA-256 of the tarball for `target`, as SHA256SUMS lists it. */
export function tarballChecksum(release: Release, target: Target): string {
  return release.checksums.get(tarballName(release, target)) ?? "";
}

/** Adds `files` (names below the release directory) to SHA256SUMS, or replaces their lines. */
export function addChecksums(directory: string, files: readonly string[]): void {
  const checksums = parseChecksums(readSums(directory));
  for (const file of files) checksums.set(file, sha256(readFileOf(join(directory, file))));
  const lines = [...checksums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, sum]) => `${sum}  ${name}\n`);
  writeFileSync(join(directory, "SHA256SUMS"), lines.join(""));
}

// --- internal ---

function readSums(directory: string): string {
  return readFileOf(join(directory, "SHA256SUMS")).toString("utf8");
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

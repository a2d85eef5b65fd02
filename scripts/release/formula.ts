// The Homebrew formula of a release, and the tap that offers it.

import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { downloadUrl, HOMEPAGE, SUMMARY } from "./home.ts";
import { type Release, type Target, tarballChecksum, tarballName } from "./release-directory.ts";
import { fillTemplate } from "./template.ts";

/** Homebrew on Linux brings glibc, so the builds for musl are not offered. */
const FORMULA_TARGETS = [
  "darwin-arm64",
  "darwin-x64",
  "linux-arm64",
  "linux-x64",
  "linux-x64-baseline",
] as const satisfies readonly Target[];

/**
 * Writes `codexlb.rb` into the release directory and returns its name.
 * Throws `file_unusable` when the release lacks a tarball for Homebrew.
 */
export function writeFormula(release: Release): string {
  const values: Record<string, string> = {
    summary: SUMMARY,
    homepage: HOMEPAGE,
    version: release.version,
  };
  for (const target of FORMULA_TARGETS) {
    const key = target.replaceAll("-", "_");
    values[`url_${key}`] = downloadUrl(release.version, tarballName(release, target));
    values[`sha256_${key}`] = tarballChecksum(release, target);
  }
  writeFileSync(join(release.directory, "codexlb.rb"), fillTemplate("homebrew/codexlb.rb.template", values));
  return "codexlb.rb";
}

/** Copies the formula of the release to `tap`, a checkout of the tap's repository, as `Formula/codexlb.rb`. */
export function writeTap(release: Release, tap: string): void {
  mkdirSync(join(tap, "Formula"), { recursive: true });
  copyFileSync(join(release.directory, "codexlb.rb"), join(tap, "Formula", "codexlb.rb"));
}

// Writes the Homebrew formula of a release, to the release directory or to a tap.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ReleaseTarget } from "../targets.ts";
import { HOME_PAGE, releaseUrl, SUMMARY } from "./home.ts";
import { type Release, tarballChecksum, tarballName } from "./release-directory.ts";
import { fillTemplate } from "./template.ts";

/** The targets that Homebrew supports. The builds for musl are missing, because Homebrew on Linux includes glibc. */
const FORMULA_TARGETS = [
  "darwin-arm64",
  "darwin-x64",
  "linux-arm64",
  "linux-x64",
  "linux-x64-baseline",
] as const satisfies readonly ReleaseTarget[];

/**
 * Writes `codexlb.rb` into the release directory and returns its name.
 * Throws `file_unusable` when the release lacks a tarball for Homebrew.
 */
export function writeFormula(release: Release): string {
  writeFileSync(join(release.directory, "codexlb.rb"), formula(release));
  return "codexlb.rb";
}

/** Writes the formula of the release to `tap`, a checkout of the tap's repository. Throws like `writeFormula`. */
export function writeTap(release: Release, tap: string): void {
  mkdirSync(join(tap, "Formula"), { recursive: true });
  writeFileSync(join(tap, "Formula", "codexlb.rb"), formula(release));
}

// --- internal ---

function formula(release: Release): string {
  const values: Record<string, string> = {
    summary: SUMMARY,
    homepage: HOME_PAGE,
    version: release.version,
  };
  for (const target of FORMULA_TARGETS) {
    const key = target.replaceAll("-", "_");
    values[`url_${key}`] = releaseUrl(release.version, tarballName(release, target));
    values[`sha256_${key}`] = tarballChecksum(release, target);
  }
  return fillTemplate("homebrew/codexlb.rb.template", values);
}

// Adds install.sh to a release. The install command downloads it from the newest release.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "./home.ts";
import type { Release } from "./release-directory.ts";

const SCRIPT = join(import.meta.dir, "..", "..", "install.sh");

/** The repository that install.sh names in the sources. */
const NAMED = /\bgngeorgiev\/codexlb\b/g;

/** Writes `install.sh`, with the repository of this release, into the release directory. Returns its name. */
export function writeInstaller(release: Release): string {
  const text = readFileSync(SCRIPT, "utf8").replaceAll(NAMED, REPOSITORY);
  writeFileSync(join(release.directory, "install.sh"), text, { mode: 0o755 });
  return "install.sh";
}

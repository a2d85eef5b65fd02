// Adds the files of package managers to a release that `make release` has written:
//   bun scripts/release/package.ts [--dir dist/release] [--only formula,npm,deb,rpm,installer]
//   bun scripts/release/package.ts --tap DIR      writes the formula into a checkout of the Homebrew tap

import { join } from "node:path";
import { parseArgs } from "node:util";
import { CodexlbError } from "../../src/errors.ts";
import { writeChecksums } from "./checksums.ts";
import { writeFormula, writeTap } from "./formula.ts";
import { writeInstaller } from "./installer.ts";
import { writeNpmPackages } from "./npm.ts";
import { writeDebs, writeRpms } from "./packages.ts";
import { openRelease, type Release } from "./release-directory.ts";

/** A writer for each name that --only accepts. Each returns the names of the files that it wrote. */
const WRITERS: Readonly<Record<string, (release: Release) => string[] | Promise<string[]>>> = {
  formula: (release) => [writeFormula(release)],
  installer: (release) => [writeInstaller(release)],
  npm: writeNpmPackages,
  deb: (release) => writeDebs(release),
  rpm: (release) => writeRpms(release),
};

try {
  const { values } = parseArgs({
    options: {
      dir: { type: "string", default: "dist/release" },
      only: { type: "string", default: Object.keys(WRITERS).join(",") },
      tap: { type: "string" },
    },
  });
  const release = openRelease(values.dir);
  if (values.tap === undefined) await write(release, values.only.split(","));
  else writeTap(release, values.tap);
} catch (error) {
  if (!(error instanceof CodexlbError)) throw error;
  console.error(`package: ${error.message}${error.next === undefined ? "" : `\n  ${error.next}`}`);
  process.exit(error.exitCode);
}

async function write(release: Release, kinds: readonly string[]): Promise<void> {
  for (const kind of kinds) {
    const writer = WRITERS[kind];
    if (writer === undefined)
      throw new CodexlbError(
        "usage",
        `packaging ${release.directory}: ${JSON.stringify(kind)} is not a kind of package`,
        {
          next: `choose from ${Object.keys(WRITERS).join(",")}`,
        },
      );
    for (const name of await writer(release)) console.log(`wrote ${name}`);
  }
  writeChecksums(release.directory);
  if (kinds.includes("npm")) writeChecksums(join(release.directory, "npm"));
}

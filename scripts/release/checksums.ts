// Writes SHA256SUMS, in the format of `sha256sum --check`.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The name of the checksum file in a release directory. */
export const CHECKSUMS = "SHA256SUMS";

/**
 * Writes the checksums of all other files in `directory`, sorted by name. Replaces an existing SHA256SUMS. Subdirectories
 * are left out: they have their own SHA256SUMS, because a release on GitHub is a flat list of files.
 */
export function writeChecksums(directory: string): void {
  const names = readdirSync(directory)
    .filter((name) => name !== CHECKSUMS && statSync(join(directory, name)).isFile())
    .sort();
  const lines = names.map((name) => `${sha256(join(directory, name))}  ${name}\n`);
  writeFileSync(join(directory, CHECKSUMS), lines.join(""));
}

// --- internal ---

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

// Writes SHA256SUMS, in the format of `sha256sum --check`.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The name of the checksum file in a release directory. */
export const CHECKSUMS = "SHA256SUMS";

/**
 * Writes the checksums of all other files in `directory` and below, sorted by path. Replaces an existing SHA256SUMS.
 */
export function writeChecksums(directory: string): void {
  const paths = readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((path) => path !== CHECKSUMS && statSync(join(directory, path)).isFile())
    .sort();
  const lines = paths.map((path) => `${sha256(join(directory, path))}  ${path}\n`);
  writeFileSync(join(directory, CHECKSUMS), lines.join(""));
}

// --- internal ---

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

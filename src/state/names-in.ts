// The names in a directory that may not exist.

import { readdirSync } from "node:fs";

/** The names of the entries of `directory`; none if it does not exist or cannot be read. */
export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

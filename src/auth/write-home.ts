// Writes the files of an account home so that a failure halfway leaves the previous ones in place.

import { lstatSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CodexlbError } from "../errors.ts";
import { readTextIfPresent, unusable, writeFileAtomic } from "../state/atomic-file.ts";

/** Texts by file name; undefined leaves a file unchanged. */
export type HomeFiles = Readonly<Record<string, string | undefined>>;

/**
 * Writes `files` into `homeDir`, which is created if it is missing. Returns a function that restores the previous
 * state; on failure the state is already restored. Throws `file_unusable`, and `invalid_request` if the home is a link.
 */
export function writeHome(homeDir: string, files: HomeFiles): () => void {
  refuseLink(homeDir);
  const steps: (() => void)[] = [];
  const undo = () => {
    for (const step of steps.splice(0).reverse()) step();
  };
  try {
    if (makeDirectory(homeDir)) steps.push(() => rmSync(homeDir, { recursive: true, force: true }));
    for (const [name, text] of Object.entries(files)) {
      if (text === undefined) continue;
      const path = join(homeDir, name);
      const before = readableText(path);
      writeFileAtomic(path, text);
      steps.push(() =>
        before === undefined ? rmSync(path, { force: true }) : writeFileAtomic(path, before),
      );
    }
  } catch (error) {
    undo();
    throw error;
  }
  return undo;
}

/** Throws `invalid_request` for a link in place of an account home, which could redirect a write or a deletion. */
export function refuseLink(homeDir: string): void {
  const found = lstatSync(homeDir, { throwIfNoEntry: false });
  if (found?.isSymbolicLink())
    throw new CodexlbError("invalid_request", `${homeDir} is a symbolic link`, {
      next: "replace it with a real directory, or remove the link by hand",
    });
}

/** The text of a file; undefined if it is missing or unreadable. */
export function readableText(path: string): string | undefined {
  try {
    return readTextIfPresent(path);
  } catch {
    return undefined;
  }
}

// --- internal ---

/** Returns true if the directory did not exist. */
function makeDirectory(path: string): boolean {
  try {
    return mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined;
  } catch (error) {
    throw unusable(`making the directory ${path}`, error);
  }
}

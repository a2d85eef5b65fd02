// The files of an account home, written so that a failure in the middle leaves what was there before.

import { lstatSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CodexlbError } from "../errors.ts";
import { readTextIfPresent, unusable, writeFileAtomic } from "../state/atomic-file.ts";

/** Texts by file name; what is undefined stays as it is. */
export type HomeFiles = Readonly<Record<string, string | undefined>>;

/**
 * Writes `files` into `homeDir`, which is made when it is missing. Returns what puts everything back as it was; a failure
 * has done so already. Throws `file_unusable`, and `invalid_request` for a link in the place of the home.
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
      const before = textOf(path);
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

/** A link in the place of an account home could lead a write or a deletion anywhere. */
export function refuseLink(homeDir: string): void {
  const found = lstatSync(homeDir, { throwIfNoEntry: false });
  if (found?.isSymbolicLink())
    throw new CodexlbError("invalid_request", `${homeDir} is a symbolic link`, {
      next: "replace it with a real directory, or remove the link by hand",
    });
}

// --- internal ---

/** True when it was not there. */
function makeDirectory(path: string): boolean {
  try {
    return mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined;
  } catch (error) {
    throw unusable(`making the directory ${path}`, error);
  }
}

/** The text of a file; what cannot be read is not worth keeping. */
function textOf(path: string): string | undefined {
  try {
    return readTextIfPresent(path);
  } catch {
    return undefined;
  }
}

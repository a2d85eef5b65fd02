// Files that are either the old version or the new one, whatever happens in between.

import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { CodexlbError, messageOf, systemCodeOf } from "../errors.ts";

/** Files with state or secrets: the owner only. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** Replaces `path` by `content`: a temporary file beside it, fsync, rename, fsync of the directory. Throws `file_unusable`. */
export function writeFileAtomic(path: string, content: string): void {
  const temporary = `${path}.tmp.${process.pid}.${++sequence}`;
  try {
    const file = openSync(temporary, "wx", FILE_MODE);
    try {
      // A single write may stop half-way through a large text.
      writeFileSync(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw unusable(`writing ${path}`, error);
  }
  fsyncDirectory(dirname(path));
}

/** Makes `path` and its parents, for the owner only. */
export function makePrivateDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE });
  } catch (error) {
    throw unusable(`making the directory ${path}`, error);
  }
}

/** The text of a file, or undefined when there is none. Throws `file_unusable`. */
export function readTextIfPresent(path: string): string | undefined {
  try {
    // A pipe or a terminal in its place would be waited for without end.
    if (!statSync(path).isFile()) throw new Error("it is not a file");
    return readFileSync(path, "utf8");
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT" || systemCodeOf(error) === "ENOTDIR") return undefined;
    throw unusable(`reading ${path}`, error);
  }
}

/** The error for a file or directory that the system does not let us use. */
export function unusable(what: string, error: unknown): CodexlbError {
  return new CodexlbError("file_unusable", `${what}: ${messageOf(error)}`, {
    next: "check what is there and who may use it",
    cause: error,
  });
}

// --- internal ---

/** Only keeps names of this process apart; says nothing about state. */
let sequence = 0;

function fsyncDirectory(path: string): void {
  let directory: number | undefined;
  try {
    directory = openSync(path, "r");
    fsyncSync(directory);
  } catch {
    // Some file systems cannot sync a directory; the file itself is already safe.
  } finally {
    if (directory !== undefined) closeSync(directory);
  }
}

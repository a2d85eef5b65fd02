// Replaces files so that, even after a crash, a file is either the old version or the new one.

import { randomInt } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { CodexlbError, systemCodeOf, systemNext, systemProblem } from "../errors.ts";

/** Only the owner may access files with state or secrets. */
const FILE_MODE = 0o600;
/** The largest argument of `randomInt`. */
const MOST_NAMES = 2 ** 48 - 1;
/** Far larger than our state files: ten thousand sessions take 2 MB, a thousand accounts as much. */
const LONGEST_FILE_BYTES = 32 * 1024 * 1024;
const DIRECTORY_MODE = 0o700;

/** Replaces the file `path` with `content`: temporary file, fsync, rename, fsync of the directory. Throws `file_unusable`. */
export function writeFileAtomic(path: string, content: string): void {
  reserveFile(path, 0).place(content);
}

/** Reserved disk space for the next content of a file, to be used once: placed or released. */
export interface Reservation {
  /** Replaces the file with `content`. Throws `file_unusable`, after releasing the space. */
  place(content: string): void;
  /** Releases the space; does nothing if it was already used or released. */
  release(): void;
}

/**
 * Reserves `bytes` of disk space for the replacement of `path`, so that a full disk is noticed now and not later. A
 * copy-on-write file system may still refuse the last step. Throws `file_unusable`.
 */
export function reserveFile(path: string, bytes: number): Reservation {
  // Random, because processes in different containers can have the same id and must not use each other's files.
  const temporary = `${path}.tmp.${process.pid}.${randomInt(MOST_NAMES)}`;
  let file: number | undefined;
  const release = () => {
    if (file === undefined) return;
    closeSync(file);
    file = undefined;
    rmSync(temporary, { force: true });
  };
  const orRelease = (work: () => void) => {
    try {
      work();
    } catch (error) {
      release();
      throw unusable(`writing ${path}`, error);
    }
  };
  orRelease(() => {
    file = openSync(temporary, "wx", FILE_MODE);
    if (bytes === 0) return;
    writeAll(file, Buffer.alloc(bytes, " "));
    fsyncSync(file);
  });
  return {
    place: (content) => {
      orRelease(() => {
        if (file === undefined) throw new Error("its reserved space was already released");
        const text = Buffer.from(content);
        writeAll(file, text);
        ftruncateSync(file, text.length);
        fsyncSync(file);
        renameSync(temporary, path);
        closeSync(file);
        file = undefined;
      });
      fsyncDirectory(dirname(path));
    },
    release,
  };
}

/** Creates the directory `path` and its parents; only the owner can access them. Throws `file_unusable`. */
export function makePrivateDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE });
  } catch (error) {
    throw unusable(`creating the directory ${path}`, error);
  }
}

/**
 * The text of a file, or undefined if there is none. Throws `file_unusable`, also for a file of more than `limitBytes`,
 * because reading it would block everything else. `notFileNext`: the next step if the path leads to a directory, or to
 * something else that cannot be the file. Default: to move it away.
 */
export function readTextIfPresent(
  path: string,
  limitBytes = LONGEST_FILE_BYTES,
  notFileNext = "move it away; codexlb expects a text file there",
): string | undefined {
  try {
    const stat = statSync(path);
    // Reading a pipe or a terminal could wait forever.
    if (!stat.isFile())
      throw notReadable(
        path,
        stat.isDirectory() ? "it is a directory, not a file" : "it is not a regular file",
        notFileNext,
      );
    if (stat.size > limitBytes)
      throw notReadable(
        path,
        `it is too large (${stat.size} bytes; the limit is ${limitBytes})`,
        notFileNext,
      );
    return readFileSync(path, "utf8");
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT" || systemCodeOf(error) === "ENOTDIR") return undefined;
    if (error instanceof CodexlbError) throw error;
    throw unusable(`reading ${path}`, error);
  }
}

/** Throws what reading `path` would throw if it is missing or a directory, and `Error` if it is not a regular file. */
export function requireFile(path: string): void {
  const stat = statSync(path);
  if (stat.isDirectory())
    throw Object.assign(new Error("EISDIR: illegal operation on a directory"), { code: "EISDIR" });
  if (!stat.isFile()) throw new Error("it is not a regular file");
}

/** The error for a file or directory that cannot be used. `what` says what was being done. */
export function unusable(what: string, error: unknown): CodexlbError {
  return new CodexlbError("file_unusable", `${what}: ${systemProblem(error)}`, {
    next: systemNext(error) ?? "check that the path exists, and that this user can access it",
    cause: error,
  });
}

// --- internal ---

function notReadable(path: string, why: string, next: string): CodexlbError {
  return new CodexlbError("file_unusable", `reading ${path}: ${why}`, { next });
}

/** Writes all of `content` from the start of the file. A loop, because one write can stop halfway. */
function writeAll(file: number, content: Uint8Array): void {
  for (let at = 0; at < content.length; ) at += writeSync(file, content, at, content.length - at, at);
}

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

// Exclusive locks between processes. The kernel releases the locks of a process that ends, however it ends.

import { FFIType } from "bun:ffi";
import { closeSync, existsSync, openSync } from "node:fs";
import { unusable } from "./atomic-file.ts";
import { fromCLibrary } from "./c-library.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;
const FILE_MODE = 0o600;

/** A held lock. Further calls of `release` have no effect. */
export interface FileLock {
  release(): void;
}

/**
 * Takes the exclusive lock on the file `path`; undefined if another process holds it. Creates a missing file, and never
 * removes it. The Go program makes the same system call, so the two exclude each other. Throws `file_unusable`.
 */
export function tryLock(path: string): FileLock | undefined {
  const flock = loadFlock();
  const file = openLockFile(path);
  if (flock(file, LOCK_EX | LOCK_NB) !== 0) {
    closeSync(file);
    return undefined;
  }
  let held = true;
  return {
    release: () => {
      if (held) closeSync(file);
      held = false;
    },
  };
}

/** True while any process, including this one, holds the lock on `path`. Does not create the file. */
export function isLocked(path: string): boolean {
  if (!existsSync(path)) return false;
  const lock = tryLock(path);
  lock?.release();
  return lock === undefined;
}

/** Like `tryLock`, but retries for `timeoutMs` while another process holds the lock. */
export async function waitForLock(path: string, timeoutMs: number): Promise<FileLock | undefined> {
  const tries = Math.max(1, Math.ceil(timeoutMs / POLL_MS));
  for (let count = 0; count < tries; count++) {
    const lock = tryLock(path);
    if (lock !== undefined) return lock;
    await Bun.sleep(POLL_MS);
  }
  return undefined;
}

// --- internal ---

/** The interval between tries, because waiting in `flock` itself would block the process. */
const POLL_MS = 50;

function openLockFile(path: string): number {
  try {
    return openSync(path, "a", FILE_MODE);
  } catch (error) {
    throw unusable(`opening ${path}`, error);
  }
}

type Flock = (file: number, operation: number) => number;

function loadFlock(): Flock {
  return fromCLibrary({ flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 } }).flock;
}

// Handles the leftovers of killed processes: files that were written but not renamed, and homes that were being
// removed. The next owner of the root finishes or deletes them.

import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { makePrivateDirectory } from "../state/atomic-file.ts";
import type { Layout } from "../state/layout.ts";
import { isLocked, tryLock } from "../state/lock.ts";
import { parseAuthFile } from "./auth-file.ts";

/** Lock in an account's home, held while its login is renewed. The name is the Go program's. */
export const RENEWAL_LOCK = ".auth.refresh.lock";

/** Prefix of homes that are being removed. No alias begins with it. */
export const REMOVED_PREFIX = ".removed-";

/**
 * Finishes or deletes leftovers. A complete auth.json that is newer than the current one may contain the only copy of a
 * renewed token, so it replaces the current one. Everything else is deleted. The caller owns the root, so only renewals
 * can be writing, and they hold the lock of their home.
 */
export function sweepHomes(layout: Layout): void {
  for (const path of leftIn(layout)) if (!finish(path)) discard(path);
}

/**
 * The files and directories in `layout`'s root that a killed process left behind. While a process owns the root, only
 * those that are too old to belong to a write in progress.
 */
export function leftovers(layout: Layout): string[] {
  const left = leftIn(layout);
  return isLocked(layout.lock) ? left.filter((path) => ageOf(path) > LONGEST_WRITE_MS) : left;
}

/** A directory for one login of this process. Other processes do not mistake it for a leftover. */
export interface LoginHome {
  readonly path: string;
  /** Unlocks the directory. If it still exists, it is a leftover from now on. */
  release(): void;
}

/** Creates a private home for a login, empty except for its lock. Throws `file_unusable`. */
export function newLoginHome({ logins }: Layout): LoginHome {
  for (;;) {
    // Short, because Chromium makes a socket in it, whose path has a maximum length. A longer path would make it use
    // the host's TMPDIR.
    const path = join(logins, crypto.randomUUID().slice(-12));
    makePrivateDirectory(path);
    const lock = tryLock(join(path, LOGIN_LOCK));
    // Otherwise a process that looks for leftovers has the lock for a moment; try another directory.
    if (lock !== undefined) return { path, release: lock.release };
    discard(path);
  }
}

/** Deletes the homes of interrupted logins that contain no login. */
export function sweepLogins(layout: Layout): void {
  for (const { path, holdsLogin } of brokenLogins(layout)) if (!holdsLogin) discard(path);
}

/**
 * The homes of logins whose process has exited. One that contains a login was kept intentionally, or its process was
 * killed. The lock shows whether the process is alive; a process id could belong to another container.
 */
export function brokenLogins({ logins }: Layout): { readonly path: string; readonly holdsLogin: boolean }[] {
  return namesIn(logins)
    .map((name) => join(logins, name))
    .filter((path) => {
      const lock = join(path, LOGIN_LOCK);
      return existsSync(lock) ? !isLocked(lock) : ageOf(path) > LONGEST_LOGIN_MS;
    })
    .map((path) => ({ path, holdsLogin: existsSync(join(path, "auth.json")) }));
}

// --- internal ---

/** Lock in the home of a login, held by the login's process. */
const LOGIN_LOCK = ".codexlb.lock";
/** No login takes longer. Needed for the homes of older versions, which have no lock. */
const LONGEST_LOGIN_MS = 3_600_000;
/** Longest time between creating a file and renaming it; a renewal waits for the response in between. */
const LONGEST_WRITE_MS = 10 * 60_000;

/** Names of atomic files before the rename: the target and the process id, also in the Go program. */
const UNPLACED = /^(.+)\.tmp\.(\d+)(?:\.\d+)?$/;

function leftIn({ root, accounts, store, config }: Layout): string[] {
  const homes = namesIn(accounts).map((name) => join(accounts, name));
  const removed = homes.filter((path) => basename(path).startsWith(REMOVED_PREFIX));
  return [
    ...removed,
    ...unplaced(root, [basename(store), `${basename(store)}.previous`, basename(config)]),
    ...homes
      .filter((path) => !removed.includes(path) && !isLocked(join(path, RENEWAL_LOCK)))
      .flatMap((home) => unplaced(home, ["auth.json", "config.toml"])),
  ];
}

function unplaced(directory: string, targets: readonly string[]): string[] {
  return namesIn(directory)
    .filter((name) => targets.includes(UNPLACED.exec(name)?.[1] ?? ""))
    .map((name) => join(directory, name));
}

function ageOf(path: string): number {
  return Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY);
}

function discard(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // It does no harm, and `codexlb doctor` reports it.
  }
}

function finish(path: string): boolean {
  const name = UNPLACED.exec(basename(path))?.[1];
  if (name !== "auth.json") return false;
  const target = join(dirname(path), name);
  try {
    parseAuthFile(readFileSync(path, "utf8"), path);
    const placed = statSync(target, { throwIfNoEntry: false });
    if (placed !== undefined && statSync(path).mtimeMs < placed.mtimeMs) return false;
    renameSync(path, target);
    return true;
  } catch {
    return false; // incomplete
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // missing, or not a directory
  }
}

// What processes that were killed leave behind: written files that were not put in their place, and homes that were
// being removed. Finished or cleared by the next owner of the root.

import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { makePrivateDirectory } from "../state/atomic-file.ts";
import type { Layout } from "../state/layout.ts";
import { isLocked, tryLock } from "../state/lock.ts";
import { parseAuthFile } from "./auth-file.ts";

/** Lock in an account's home, held while its login is renewed. The name is the Go program's. */
export const RENEWAL_LOCK = ".auth.refresh.lock";

/** Homes on their way out; no alias begins like this. */
export const REMOVED_PREFIX = ".removed-";

/**
 * Takes up what was left: a whole auth.json that is newer than the one in its place was about to replace it and may
 * hold the only copy of a renewed token, so it does; everything else is deleted. The caller owns the root, so only
 * renewals can be writing, and they hold the lock of their home.
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
  /** Gives up the directory: if it still exists, it is a leftover from now on. */
  release(): void;
}

/** Creates a private home for a login, empty except for its lock. Throws `file_unusable`. */
export function newLoginHome({ logins }: Layout): LoginHome {
  for (;;) {
    // Short, because Chromium makes a socket in it, whose path has a bound. Without room it would use the host's TMPDIR.
    const path = join(logins, crypto.randomUUID().slice(-12));
    makePrivateDirectory(path);
    const lock = tryLock(join(path, LOGIN_LOCK));
    // Otherwise a process that looks for leftovers has the lock for a moment; try another directory.
    if (lock !== undefined) return { path, release: lock.release };
    discard(path);
  }
}

/** Deletes the homes of logins that were broken off and left nothing. */
export function sweepLogins(layout: Layout): void {
  for (const { path, holdsLogin } of brokenLogins(layout)) if (!holdsLogin) discard(path);
}

/**
 * The homes of logins whose process is gone. One that holds a login was kept on purpose, or its process was killed. The
 * lock shows whether the process is alive; its process id would mean another process in another container.
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

/** How atomic files are called until they are renamed: the process behind the name (the Go program writes it so too). */
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
    // It is in nobody's way; `codexlb doctor` goes on naming it.
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
    return false; // cut off in the middle
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // not made yet, or not a directory
  }
}

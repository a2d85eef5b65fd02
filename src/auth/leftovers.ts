// What processes that were killed leave behind: written files that were not put in their place, and homes that were
// being removed. Finished or cleared by the next owner of the root.

import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { systemCodeOf } from "../errors.ts";
import { makePrivateDirectory } from "../state/atomic-file.ts";
import type { Layout } from "../state/layout.ts";
import { parseAuthFile } from "./auth-file.ts";

/** Homes on their way out; no alias begins like this. */
export const REMOVED_PREFIX = ".removed-";

/**
 * Takes up what was left: a whole auth.json that is newer than the one in its place was about to replace it and may
 * hold the only copy of a renewed token, so it does; everything else is deleted.
 */
export function sweepHomes(layout: Layout): void {
  for (const path of leftovers(layout)) if (!finish(path)) discard(path);
}

/** The files and directories in `layout`'s root that a killed process left behind. */
export function leftovers({ root, accounts, store, config }: Layout): string[] {
  const homes = namesIn(accounts).map((name) => join(accounts, name));
  const removed = homes.filter((path) => basename(path).startsWith(REMOVED_PREFIX));
  return [
    ...removed,
    ...unplaced(root, [basename(store), `${basename(store)}.previous`, basename(config)]),
    ...homes
      .filter((path) => !removed.includes(path))
      .flatMap((home) => unplaced(home, ["auth.json", "config.toml"])),
  ];
}

/** A home for a login of this process; private, empty. */
export function newLoginHome({ logins }: Layout): string {
  const home = join(logins, `${process.pid}-${crypto.randomUUID().slice(0, 8)}`);
  makePrivateDirectory(home);
  return home;
}

/** Deletes the homes of logins that were broken off and left nothing. */
export function sweepLogins(layout: Layout): void {
  for (const { path, holdsLogin } of brokenLogins(layout)) if (!holdsLogin) discard(path);
}

/** The homes of logins whose process is gone. One that holds a login was kept on purpose, or its process was killed. */
export function brokenLogins({ logins }: Layout): { readonly path: string; readonly holdsLogin: boolean }[] {
  return namesIn(logins)
    .filter((name) => {
      const pid = Number(/^(\d+)-/.exec(name)?.[1]);
      return Number.isNaN(pid) || (pid !== process.pid && !isAlive(pid));
    })
    .map((name) => join(logins, name))
    .map((path) => ({ path, holdsLogin: existsSync(join(path, "auth.json")) }));
}

// --- internal ---

/** How atomic files are called until they are renamed: the process behind the name (the Go program writes it so too). */
const UNPLACED = /^(.+)\.tmp\.(\d+)(?:\.\d+)?$/;

function unplaced(directory: string, targets: readonly string[]): string[] {
  return namesIn(directory)
    .filter((name) => {
      const [, target = "", pid = ""] = UNPLACED.exec(name) ?? [];
      return targets.includes(target) && !isAlive(Number(pid));
    })
    .map((name) => join(directory, name));
}

/** True for another process that still runs: it may be about to put its file in place. */
function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCodeOf(error) === "EPERM";
  }
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

// Checks whether other users can access a root. A user who can write to it controls the proxy, and a user who can read it
// has the accounts' logins. The start corrects modes where it can, and refuses a root that is still unsafe.

import { chmodSync, lstatSync, realpathSync, type Stats } from "node:fs";
import { dirname, join } from "node:path";
import type { Log } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import { type Layout, linkedHomesIn } from "./layout.ts";
import { namesIn } from "./names-in.ts";
import { SIDE_FILES } from "./usage/side-files.ts";

/** Permission bits of group and others. */
const FOR_OTHERS = 0o077;
const GROUP_WRITES = 0o020;
const OTHERS_WRITE = 0o002;
/** In a directory with this bit, only the owner of an entry may rename it. */
const STICKY = 0o1000;
/** Shown as the owner of files whose owner does not exist in this user namespace. */
const OVERFLOW_UID = 65_534;
/** Most files that a message names. */
const MOST_NAMED = 3;

/**
 * Makes everything in `layout`'s root private, and warns once if other users could access it. Throws `root_not_private`
 * if another user owns the root or can replace it.
 */
export function makePrivate(layout: Layout, log: Log, user = currentUser()): void {
  const problem = replaceableBy(layout.root, user);
  if (problem !== undefined) {
    // The superuser may have to work in directories of other users, and only has to know the risk.
    if (user.uid !== 0) throw problem;
    log.warn(`${problem.message}; ${problem.next}`);
  }
  const open = pathsForOthers(layout);
  const left = open.filter((path) => !closed(path));
  if (left.includes(layout.root))
    throw new CodexlbError(
      "root_not_private",
      `other users can access ${layout.root}, and its mode cannot be changed`,
      {
        next: "choose another --root, on a file system that supports permissions",
      },
    );
  if (left.length > 0)
    log.warn(
      `other users can access ${named(left)}, and codexlb cannot change the mode; check who owns these paths`,
    );
  const mended = open.filter((path) => !left.includes(path));
  // If only the owner could enter the root, no other user could access the files in it.
  if (mended.includes(layout.root))
    log.warn(`other users could access ${named(mended)}; made private, so that now only you can`);
}

/** The paths in `layout`'s root that group or others can read, write or enter. Links are not followed. */
export function pathsForOthers(layout: Layout): string[] {
  return privatePaths(layout).filter((path) => {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    return stat !== undefined && !stat.isSymbolicLink() && (stat.mode & FOR_OTHERS) !== 0;
  });
}

/** Removes all permissions of group and others from `path`. */
export function makePathPrivate(path: string): void {
  chmodSync(path, lstatSync(path).mode & 0o700);
}

/** Why another user can replace `root`, or files in it, whatever their modes; undefined if none can. */
export function replaceableBy(root: string, user = currentUser()): CodexlbError | undefined {
  const found = lstatSync(realpathSync(root));
  if (user.uid !== undefined && found.uid !== user.uid)
    return unsafe(
      `${root} belongs to another user (uid ${found.uid})`,
      // Giving the root of a service to the superuser would stop the service.
      user.uid === 0
        ? `files that root creates there cannot be read by that user; run codexlb as that user instead: sudo -u '#${found.uid}' codexlb`
        : `run: chown -R ${user.uid} ${root}`,
    );
  for (let path = realpathSync(root); path !== dirname(path); path = dirname(path)) {
    const parent = dirname(path);
    if (isWritableByOthers(lstatSync(parent), user))
      return unsafe(
        `other users can write to ${parent}, so they could replace ${root} with another directory`,
        `run: chmod go-w ${parent}, or choose another --root`,
      );
  }
  return undefined;
}

export interface User {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

// --- internal ---

function currentUser(): User {
  return { uid: process.getuid?.(), gid: process.getgid?.() };
}

/** The user's own group counts as the user, because most systems create one for each user. */
function isWritableByOthers({ uid, gid, mode }: Stats, user: User): boolean {
  if (uid !== user.uid && uid !== 0 && uid !== OVERFLOW_UID) return true;
  if ((mode & STICKY) !== 0) return false;
  return (mode & OTHERS_WRITE) !== 0 || ((mode & GROUP_WRITES) !== 0 && gid !== user.gid && gid !== 0);
}

function unsafe(what: string, next: string): CodexlbError {
  return new CodexlbError("root_not_private", what, { next });
}

function closed(path: string): boolean {
  try {
    makePathPrivate(path);
    return (lstatSync(path).mode & FOR_OTHERS) === 0;
  } catch {
    return false; // the caller reports it
  }
}

function privatePaths(layout: Layout): string[] {
  const homes = namesIn(layout.accounts).map((name) => join(layout.accounts, name));
  return [
    layout.root,
    layout.store,
    layout.config,
    layout.sessions,
    ...[layout.usage, ...SIDE_FILES.map((suffix) => `${layout.usage}${suffix}`)],
    layout.adminToken,
    layout.signingKey,
    layout.keys,
    layout.cluster,
    layout.adminSocket,
    layout.accounts,
    layout.logs,
    layout.logins,
    ...[...linkedHomesIn(layout), layout.runtime].flatMap((home) => [home, join(home, "auth.json")]),
    ...namesIn(layout.logs).map((name) => join(layout.logs, name)),
    ...homes.flatMap((home) => [home, join(home, "auth.json"), join(home, "config.toml")]),
  ];
}

function named(paths: readonly string[]): string {
  const more = paths.length - MOST_NAMED;
  return `${paths.slice(0, MOST_NAMED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

// The Codex home of `codexlb run` that continues the user's own: its entries are links into the user's home, so that
// instructions, skills and threads are the same in both. Login and settings are files of its own.

import {
  accessSync,
  constants,
  type Dirent,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { systemCodeOf } from "../errors.ts";
import { makePrivateDirectory, unusable } from "../state/atomic-file.ts";

/**
 * Links the entries of `own`, the user's home, into `linked`. Creates `own` if it is missing, and in it the directories
 * that Codex itself creates there. An entry that exists in `linked` stays; nothing in `own` is changed. Links whose
 * target has disappeared are removed. Throws `file_unusable`.
 */
export function linkOwnHome(own: string, linked: string): void {
  try {
    mkdirSync(own, { recursive: true, mode: 0o700 });
    for (const name of DIRECTORIES)
      if (!isThere(join(own, name))) mkdirSync(join(own, name), { recursive: true });
    accessSync(own, constants.W_OK);
  } catch (error) {
    throw unusable(`using the Codex home ${own}`, error);
  }
  makePrivateDirectory(linked);
  try {
    removeStaleLinks(own, linked);
    const found = readdirSync(own, { withFileTypes: true }).filter(
      (entry) => isShared(entry) && !isInside(linked, join(own, entry.name)),
    );
    for (const name of new Set([...found.map((entry) => entry.name), ...FILES]))
      linkEntry(join(own, name), join(linked, name));
  } catch (error) {
    throw unusable(`linking the Codex home ${own} into ${linked}`, error);
  }
}

/** The user's home that `linked` continues; undefined if `linked` has no links. */
export function ownHomeOf(linked: string): string | undefined {
  const target = targetOf(join(linked, SESSIONS));
  return target === undefined ? undefined : dirname(target);
}

// --- internal ---

const SESSIONS = "sessions";

/** Codex creates these directories. It fails on a link to a directory that does not exist. */
const DIRECTORIES = [
  SESSIONS,
  "archived_sessions",
  "mcp-oauth-locks",
  "memories",
  "rules",
  "shell_snapshots",
  "skills",
  "thread-writer-locks",
] as const;

/** Codex creates these files through a link. */
const FILES = [
  ".credentials.json",
  "history.jsonl",
  "installation_id",
  "session_index.jsonl",
  "session_index.jsonl.lock",
] as const;

/** Entries that belong to one login or to the settings, and those of a running background server. */
const PRIVATE: ReadonlySet<string> = new Set([
  ".tmp",
  "app-server-control",
  "app-server-daemon",
  "cache",
  "cloud-config-bundle-cache.json",
  "config.toml",
  "gateway_oauth.json",
  "managed_config.toml",
  "models_cache.json",
  "packages",
  "secrets",
  "tmp",
]);

/**
 * Files of a login, the files of profiles (which are copied like config.toml), codexlb's own, temporary files, and
 * databases: the setting `sqlite_home` says where they are, including those of later versions.
 */
const PRIVATE_NAME =
  /^\.?auth(?:[._-]|$)|\.config\.toml$|^\.codexlb-|\.tmp$|\.sqlite(?:-wal|-shm|-journal)?$/i;

/** False for what is private, and for sockets and pipes. */
function isShared(entry: Dirent): boolean {
  const isPlain = entry.isFile() || entry.isDirectory() || entry.isSymbolicLink();
  return isPlain && !PRIVATE.has(entry.name) && !PRIVATE_NAME.test(entry.name);
}

/** Another run may create the same link at the same time. */
function linkEntry(target: string, link: string): void {
  try {
    symlinkSync(target, link);
  } catch (error) {
    if (systemCodeOf(error) !== "EEXIST") throw error;
  }
}

/** Removes links into `own` whose target is gone, but for files that Codex creates through the link. */
function removeStaleLinks(own: string, linked: string): void {
  for (const name of readdirSync(linked)) {
    const path = join(linked, name);
    const target = targetOf(path);
    if (target === undefined || !isInside(target, own)) continue;
    if (!existsSync(target) && !FILES.some((file) => file === name)) rmSync(path, { force: true });
  }
}

/** The absolute path that a link names; undefined for anything else. */
function targetOf(path: string): string | undefined {
  try {
    return resolve(dirname(path), readlinkSync(path));
  } catch {
    return undefined;
  }
}

/** True for every kind of entry, also for a link without a target. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** True if `path` is below `directory`. */
function isInside(path: string, directory: string): boolean {
  const way = relative(resolve(directory), resolve(path));
  return way !== "" && !way.startsWith("..") && !isAbsolute(way);
}

// The Codex home of this machine's user, which gets the new login as well. The login that was there is kept beside it
// and never revoked: it may be an account's that is enrolled.

import { accessSync, constants, copyFileSync, existsSync, realpathSync, statSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { CodexlbError } from "../errors.ts";
import { makePrivateDirectory, readTextIfPresent, unusable, writeFileAtomic } from "../state/atomic-file.ts";
import type { Layout } from "../state/layout.ts";

/** Throws `file_unusable` when a login cannot or must not be written into `home`; makes nothing. */
export function checkHost(home: string, { root }: Pick<Layout, "root">): void {
  const doing = `the login could not be written into ${home}`;
  let place = resolve(home);
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  try {
    if (!statSync(place).isDirectory()) throw new Error(`${place} is not a directory`);
    accessSync(place, constants.W_OK | constants.X_OK);
    readTextIfPresent(join(home, "auth.json"));
  } catch (error) {
    throw unusable(doing, error);
  }
  if (isWithin(realpathSync(place), existsSync(root) ? realpathSync(root) : root))
    throw new CodexlbError(
      "file_unusable",
      `${doing}: it is one of codexlb's own directories, whose logins are not for Codex`,
      { next: "name another one with --codex-home, or leave it out with --no-host-home" },
    );
}

/** Writes `auth` to `home`/auth.json; returns the path of the copy of what was there before, if it was another. */
export function giveToHost(home: string, auth: string, nowMs: number): string | undefined {
  makePrivateDirectory(home);
  const named = join(home, "auth.json");
  // Some people keep theirs elsewhere, and a link to it here.
  const path = existsSync(named) ? realpathSync(named) : named;
  const before = readTextIfPresent(path);
  let backup: string | undefined;
  if (before !== undefined && before !== auth) {
    backup = `${path}.before-${new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "")}`;
    copyFileSync(path, backup);
  }
  writeFileAtomic(path, auth);
  return backup;
}

// --- internal ---

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory + sep);
}

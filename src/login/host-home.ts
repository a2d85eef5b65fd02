// The Codex home of this machine's user, which gets the new login as well. The login that was there is kept beside it
// and never revoked: it may be an account's that is enrolled.

import { accessSync, constants, copyFileSync, existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { makePrivateDirectory, readTextIfPresent, unusable, writeFileAtomic } from "../state/atomic-file.ts";

/** Throws `file_unusable` when a login could not be written into `home`; makes nothing. */
export function checkHost(home: string): void {
  let place = resolve(home);
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  try {
    if (!statSync(place).isDirectory()) throw new Error(`${place} is not a directory`);
    accessSync(place, constants.W_OK | constants.X_OK);
    readTextIfPresent(join(home, "auth.json"));
  } catch (error) {
    throw unusable(`the login could not be written into ${home}`, error);
  }
}

/** Writes `auth` to `home`/auth.json; returns the path of the copy of what was there before, if it was another. */
export function giveToHost(home: string, auth: string, nowMs: number): string | undefined {
  makePrivateDirectory(home);
  const path = join(home, "auth.json");
  const before = readTextIfPresent(path);
  let backup: string | undefined;
  if (before !== undefined && before !== auth) {
    backup = `${path}.before-${new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "")}`;
    copyFileSync(path, backup);
  }
  writeFileAtomic(path, auth);
  return backup;
}

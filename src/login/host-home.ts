// The Codex home of this machine's user, which gets the new login as well. The login that was there is kept beside it
// and never revoked: it may be an account's that is enrolled.

import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { makePrivateDirectory, readTextIfPresent, writeFileAtomic } from "../state/atomic-file.ts";

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

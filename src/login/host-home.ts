// Writes the new login to the Codex home of this machine's user as well. The previous login is kept beside it and not
// revoked, because it may belong to an enrolled account.

import { accessSync, constants, copyFileSync, existsSync, realpathSync, statSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { CodexlbError } from "../errors.ts";
import { makePrivateDirectory, readTextIfPresent, unusable, writeFileAtomic } from "../state/atomic-file.ts";
import type { Layout } from "../state/layout.ts";

/** Throws `file_unusable` if a login cannot or must not be written to `home`. Creates nothing. */
export function checkHost(home: string, { root }: Pick<Layout, "root">): void {
  const doing = `writing the login to ${home}`;
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
      `${doing}: codexlb uses this directory itself, so Codex must not use its login`,
      { next: "name another directory with --codex-home, or use --no-host-home" },
    );
}

/** Writes `auth` to `home`/auth.json. Returns the path of the backup if another login was there before. */
export function giveToHost(home: string, auth: string, nowMs: number): string | undefined {
  makePrivateDirectory(home);
  const named = join(home, "auth.json");
  // The file may be a link to a file elsewhere, which must stay a link.
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

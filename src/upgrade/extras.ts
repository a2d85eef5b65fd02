// Upgrades the manual page and the completions that were installed together with the executable.

import { chmodSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeFileAtomic } from "../state/atomic-file.ts";

/**
 * Replaces the installed extras with those of a release. `extras` has their texts by path in the archive. They are
 * installed below the prefix that has `executable` in its directory `bin`. Does not install extras that are missing
 * there. Throws `file_unusable`.
 */
export function refreshExtras(executable: string, extras: ReadonlyMap<string, string>): void {
  const prefix = dirname(dirname(executable));
  for (const [path, text] of extras) {
    const below = INSTALLED_AS[path];
    if (below === undefined) continue;
    const installed = join(prefix, "share", below);
    const before = statSync(installed, { throwIfNoEntry: false });
    if (!before?.isFile()) continue;
    writeFileAtomic(installed, text);
    chmodSync(installed, before.mode & PERMISSION_BITS);
  }
}

// --- internal ---

const PERMISSION_BITS = 0o777;

/** For each path in the archive, the path below PREFIX/share to which `make install` and packages install the file. */
const INSTALLED_AS: Readonly<Record<string, string>> = {
  "man/codexlb.1": "man/man1/codexlb.1",
  "completions/codexlb.bash": "bash-completion/completions/codexlb",
  "completions/_codexlb": "zsh/site-functions/_codexlb",
  "completions/codexlb.fish": "fish/vendor_completions.d/codexlb.fish",
};

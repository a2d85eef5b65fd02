// The manual page and the completions that were installed together with the executable.

import { chmodSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeFileAtomic } from "../state/atomic-file.ts";

/**
 * Replaces the installed extras by those of a release, `extras` by their path in the archive. `executable` is in the
 * directory `bin` of the prefix that they were installed to. Extras that are not installed stay so. Throws
 * `file_unusable`.
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

/** Path in the archive, and below PREFIX/share, where `make install` and packages put it. */
const INSTALLED_AS: Readonly<Record<string, string>> = {
  "man/codexlb.1": "man/man1/codexlb.1",
  "completions/codexlb.bash": "bash-completion/completions/codexlb",
  "completions/_codexlb": "zsh/site-functions/_codexlb",
  "completions/codexlb.fish": "fish/vendor_completions.d/codexlb.fish",
};

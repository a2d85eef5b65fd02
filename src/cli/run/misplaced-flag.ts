// Finds a flag of `codexlb run` among the arguments for Codex: misspelt, or after the first argument for Codex.

import { nearest } from "../../core/nearest.ts";

/** The exit code of Codex for a wrong command line (seen with 0.107 and 0.169). */
export const CODEX_USAGE = 2;

/**
 * A message about such a flag in `args`, the arguments for Codex; undefined if there is none. `own` has the names of
 * run's flags.
 */
export function misplacedFlag(args: readonly string[], own: readonly string[]): string | undefined {
  const end = args.indexOf("--");
  for (const word of end === -1 ? args : args.slice(0, end)) {
    const [, flag, name] = /^(--?([^-=][^=]+))/.exec(word) ?? [];
    const meant = name === undefined ? undefined : nearest(name, own);
    if (meant === undefined) continue;
    return meant === name
      ? `${flag} is a flag of codexlb run and must come before the arguments for Codex: codexlb run ${flag} ...`
      : `${flag} was passed to Codex; did you mean codexlb run --${meant}?`;
  }
  return undefined;
}

// A flag of `codexlb run` that Codex was given, which does not know it: misspelt, or behind what is for Codex.

import { nearest } from "../../core/nearest.ts";

/** With what Codex ends when it is used wrongly (seen with 0.107 and 0.169). */
export const CODEX_USAGE = 2;

/** What is to be said of such a flag among `args`, Codex's; `own` are the names of run's flags. */
export function strayedFlag(args: readonly string[], own: readonly string[]): string | undefined {
  const end = args.indexOf("--");
  for (const word of end === -1 ? args : args.slice(0, end)) {
    const [, flag, name] = /^(--?([^-=][^=]+))/.exec(word) ?? [];
    const meant = name === undefined ? undefined : nearest(name, own);
    if (meant === undefined) continue;
    return meant === name
      ? `${flag} is a flag of codexlb run, and stands before what is for Codex: codexlb run ${flag} ...`
      : `${flag} went to Codex; codexlb run has --${meant}`;
  }
  return undefined;
}

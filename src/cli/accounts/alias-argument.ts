// The argument of commands that work on one account.

import { usage } from "../flags.ts";

export const ALIAS = {
  type: "positional",
  description: "Alias or id of the account",
  valueHint: "ALIAS",
} as const;

/** The only word among `words`, the arguments of `codexlb account COMMAND`. Throws a usage error. */
export function onlyAlias(command: string, words: readonly string[]): string {
  const [alias, ...surplus] = words;
  if (!alias?.trim() || surplus.length > 0) throw usage(`account ${command} takes one alias`);
  return alias;
}

// What several `codexlb key` commands share: the name, and the flags for tags.

import { usage } from "../flags.ts";

export const KEY_NAME = { type: "positional", description: "Name of the key", valueHint: "NAME" } as const;

export const TAG_FLAGS = {
  tag: {
    type: "string",
    description: "Prefer accounts with one of these tags for requests with this key",
    valueHint: "TAG,...",
  },
  only: {
    type: "boolean",
    description: "With --tag: refuse the requests if no account with such a tag can serve",
  },
} as const;

/** The name in the words of `codexlb key COMMAND`. Throws `usage`. */
export function onlyName(command: string, words: readonly string[]): string {
  const [name, ...surplus] = words;
  if (name === undefined || surplus.length > 0) throw usage(`key ${command} takes one name`);
  if (name.trim() === "") throw usage(`key ${command}: the name is empty`);
  return name;
}

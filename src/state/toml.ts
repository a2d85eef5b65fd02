// Reading TOML: the one place that knows the parser and its shortcomings.

import TOML from "@iarna/toml";

export type TomlTable = TOML.JsonMap;

/** The values of `text`. Throws an error whose message is one line: `line N: what is wrong`. */
export function parseToml(text: string): TomlTable {
  try {
    // The parser takes the line ends of Windows for control characters when they follow a comment.
    return TOML.parse(text.replace(/^\uFEFF/, "").replaceAll("\r\n", "\n"));
  } catch (error) {
    const message = (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
    const told = /^(.*?) at row (\d+), col (\d+), pos \d+:?$/.exec(message);
    throw new Error(told === null ? message : `line ${told[2]}: ${told[1]}`);
  }
}

/** `table` as TOML text. */
export function formatToml(table: TomlTable): string {
  return TOML.stringify(table);
}

// Reads and writes TOML. Only this file uses the parser, and works around its errors.

import TOML from "@iarna/toml";

export type TomlTable = TOML.JsonMap;

/** The values of `text`. Throws an error with a message of one line: `line N: problem`. */
export function parseToml(text: string): TomlTable {
  try {
    // After a comment, the parser mistakes the line ends of Windows for control characters.
    return TOML.parse(text.replace(/^\uFEFF/, "").replaceAll("\r\n", "\n"));
  } catch (error) {
    const message = (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
    const position = /^(.*?) at row (\d+), col (\d+), pos \d+:?$/.exec(message);
    throw new Error(position === null ? message : `line ${position[2]}: ${position[1]}`);
  }
}

/** `table` as TOML text. */
export function formatToml(table: TomlTable): string {
  return TOML.stringify(table);
}

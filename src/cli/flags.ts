// The grammar of the command line: `-x` and `--x` are the same, and so are `--x=v` and `--x v`. The last value of a flag
// counts, but the values of a list add up. Booleans, and flags whose value is optional (`--wait[=8h]`), take no
// separate value. Flags may come before and after other words, until `--`. This accepts every line that the Go program
// accepts; there the first word that is not a flag ends the flags.

import type { ArgDef, ArgsDef } from "citty";
import { durationOf } from "../core/duration.ts";
import { nearest } from "../core/nearest.ts";
import { CodexlbError } from "../errors.ts";

/** The flags of a command line. */
export interface ParsedFlags {
  readonly values: Readonly<Record<string, string | boolean>>;
  /** All words that are not flags. */
  readonly rest: readonly string[];
  /** True if `-h` or `--help` was among the flags; it ends them. */
  readonly help: boolean;
}

/**
 * The place of flags that a command passes on to another program. `none`: it passes on none, so an unknown flag is an
 * error. `from_first_word`: everything from the first word or unknown flag on is for the other program.
 * `after_first_word`: unknown flags after the first word are for the other program; known ones are the command's own.
 */
export type ForeignFlags = "none" | "from_first_word" | "after_first_word";

/** The flags of a command line that may be incomplete. */
export interface IncompleteFlags extends ParsedFlags {
  /** The names of the flags on the line. */
  readonly given: ReadonlySet<string>;
  /** The last flag, if its value is missing. */
  readonly open: string | undefined;
  /** True if no more flags of this command can follow. */
  readonly ended: boolean;
}

/** Reads `argv` by the flags of `definitions`; positionals are ignored. Throws `usage`. */
export function parseFlags(
  definitions: ArgsDef,
  argv: readonly string[],
  foreign: ForeignFlags = "none",
): ParsedFlags {
  const { values, rest, help, open } = readFlags(definitions, argv, foreign);
  if (open !== undefined) throw usage(`flag --${open} needs a value`);
  return { values, rest, help };
}

/** Like `parseFlags`, for a line that may end before the value of a flag. Throws `usage`. */
export function readFlags(
  definitions: ArgsDef,
  argv: readonly string[],
  foreign: ForeignFlags,
): IncompleteFlags {
  const flags = new Map(
    Object.entries(definitions).filter(([, definition]) => definition.type !== "positional"),
  );
  const values: Record<string, string | boolean> = {};
  for (const [name, definition] of flags)
    if (definition.default !== undefined) values[name] = definition.default as string | boolean;
  const given = new Set<string>();
  const rest: string[] = [];
  const read = { values, rest, given };
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    const ended = (from: number, help = false): IncompleteFlags => {
      rest.push(...argv.slice(from));
      return { ...read, help, open: undefined, ended: true };
    };
    if (word === "--") return ended(at + 1);
    const { name, value } = flagIn(word);
    if (name === "h" || name === "help") return ended(at + 1, true);
    const definition = flags.get(name ?? "");
    if (definition === undefined || name === undefined) {
      if (foreign === "from_first_word") return ended(at);
      if (name !== undefined && (foreign === "none" || rest.length === 0))
        throw unknown(word.split("=")[0] ?? word, name, [...flags.keys()]);
      rest.push(word);
      continue;
    }
    if (definition.type === "boolean") {
      given.add(name);
      values[name] = booleanOf(name, value);
      continue;
    }
    if (value === undefined) refuseSeparateValue(name, definition, argv[at + 1]);
    const text = value ?? bareValueOf(definition) ?? argv[++at];
    if (text === undefined) {
      given.add(name);
      return { ...read, help: false, open: name, ended: false };
    }
    const before = given.has(name) && isList(definition) ? `${values[name]},` : "";
    given.add(name);
    values[name] = `${before}${text}`;
  }
  return { ...read, help: false, open: undefined, ended: false };
}

/** The flag that `word` is, without its dashes, and the value after an equals sign. Both are undefined for other words. */
export function flagIn(word: string): {
  readonly name: string | undefined;
  readonly value: string | undefined;
} {
  const [, name, value] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word) ?? [];
  return { name, value };
}

/** The value of `flag` as a whole number; undefined if the flag is missing. Throws `usage`. */
export function integerFlag(value: string | undefined, flag: string): number | undefined {
  if (value === undefined) return undefined;
  if (!/^[+-]?\d+$/.test(value.trim()))
    throw usage(
      `flag --${flag}: ${JSON.stringify(value)} is not a whole number`,
      "write it in digits, such as 100",
    );
  const number = Number(value);
  if (!Number.isSafeInteger(number))
    throw usage(`flag --${flag}: ${value.trim()} is too large`, "write a smaller number");
  return number;
}

/** A duration (`500ms`, `3s`, `10m`, `1h30m`, `2d`) in ms; 0 for a negative one. Throws `usage`. */
export function durationFlag(value: string, flag: string): number {
  const ms = durationOf(value);
  if (ms !== undefined) return ms;
  throw usage(
    `flag --${flag}: ${JSON.stringify(value)} is not a duration`,
    "write it as 3s, 10m, 1h30m or 2d",
  );
}

/** The next step of a usage error that has no better one; `main` names the command in it. */
export const SEE_HELP = "for usage, run: codexlb --help";

/** The error for wrong use of a command. */
export function usage(message: string, next = SEE_HELP): CodexlbError {
  return new CodexlbError("usage", message, { next });
}

/** The value of a flag without one, such as `--wait`; undefined if the next word is its value. */
export function bareValueOf(definition: ArgDef): string | undefined {
  return "bareValue" in definition && typeof definition.bareValue === "string"
    ? definition.bareValue
    : undefined;
}

// --- internal ---

/**
 * Throws `usage` if `next`, the word after a flag without a value, is probably meant as its value: its `looksLikeValue`
 * says so. Otherwise `--wait 6h` would pass `6h` on as an argument.
 */
function refuseSeparateValue(name: string, definition: ArgDef, next: string | undefined): void {
  if (next === undefined || !("looksLikeValue" in definition)) return;
  const { looksLikeValue } = definition;
  if (typeof looksLikeValue !== "function" || !looksLikeValue(next)) return;
  throw usage(
    `flag --${name}: its value ${JSON.stringify(next)} must follow an equals sign`,
    `write --${name}=${next}; to pass ${next} on as an argument, write --${name} -- ${next}`,
  );
}

function booleanOf(name: string, value: string | undefined): boolean {
  if (value === undefined || /^(?:1|t|true|T|TRUE|True)$/.test(value)) return true;
  if (/^(?:0|f|false|F|FALSE|False)$/.test(value)) return false;
  throw usage(`flag --${name}: ${JSON.stringify(value)} is neither true nor false`);
}

/** True for a flag whose value is a list with commas, as its hint says (`TAG,...`). */
function isList(definition: ArgDef): boolean {
  return "valueHint" in definition && definition.valueHint?.endsWith(",...") === true;
}

function unknown(word: string, name: string, known: readonly string[]): CodexlbError {
  const meant = nearest(name, known);
  return usage(`unknown flag ${word}`, meant === undefined ? undefined : `did you mean --${meant}?`);
}

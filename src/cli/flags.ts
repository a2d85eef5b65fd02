// The grammar of the command line, which is that of the Go program: `-x` and `--x` are the same, and so are `--x=v` and
// `--x v`. The last value of a flag counts, booleans take no separate value, and the first word that is not a flag (or
// `--`) ends the flags.

import type { ArgsDef } from "citty";
import { nearest } from "../core/nearest.ts";
import { CodexlbError } from "../errors.ts";

/** The flags of a command line. */
export interface ParsedFlags {
  readonly values: Readonly<Record<string, string | boolean>>;
  /** Everything after the flags. */
  readonly rest: readonly string[];
  /** True if `-h` or `--help` was among the flags; it ends them. */
  readonly help: boolean;
  /** True if `--` ended the flags, so that no word in `rest` is a flag. */
  readonly separated: boolean;
}

/** The flags of a command line that may be incomplete. */
export interface IncompleteFlags extends ParsedFlags {
  /** The names of the flags on the line. */
  readonly given: ReadonlySet<string>;
  /** The last flag, if its value is missing. */
  readonly open: string | undefined;
  /** True if a word or `--` ended the flags. */
  readonly ended: boolean;
}

/**
 * Reads `argv` by the flags of `definitions`; positionals are ignored. With `passOn` an unknown flag ends the flags
 * like a word does, because it is for another program. Throws `usage`.
 */
export function parseFlags(definitions: ArgsDef, argv: readonly string[], passOn = false): ParsedFlags {
  const { values, rest, help, separated, open } = readFlags(definitions, argv, passOn);
  if (open !== undefined) throw usage(`flag --${open} needs a value`);
  return { values, rest, help, separated };
}

/** Like `parseFlags`, for a line that may end before the value of a flag. Throws `usage`. */
export function readFlags(definitions: ArgsDef, argv: readonly string[], passOn: boolean): IncompleteFlags {
  const flags = new Map(
    Object.entries(definitions).filter(([, definition]) => definition.type !== "positional"),
  );
  const values: Record<string, string | boolean> = {};
  for (const [name, definition] of flags)
    if (definition.default !== undefined) values[name] = definition.default as string | boolean;
  const given = new Set<string>();
  let help = false;
  let separated = false;
  let open: string | undefined;
  let ended = false;
  let at = 0;
  for (; at < argv.length && !ended; at++) {
    const word = argv[at] ?? "";
    if (word === "--") {
      ended = true;
      separated = true;
      continue;
    }
    const match = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word);
    const name = match?.[1];
    const definition = flags.get(name ?? "");
    if (name === "h" || name === "help") {
      help = true;
      ended = true;
      continue;
    }
    if (name === undefined || (definition === undefined && passOn)) {
      ended = true;
      break;
    }
    if (definition === undefined) throw unknown(word.split("=")[0] ?? word, name, [...flags.keys()]);
    given.add(name);
    if (definition.type === "boolean") {
      values[name] = booleanOf(name, match?.[2]);
      continue;
    }
    const value = match?.[2] ?? argv[++at];
    if (value === undefined) open = name;
    else values[name] = value;
  }
  return { values, rest: argv.slice(at), help, separated, given, open, ended };
}

/** The value of `flag` as a whole number; undefined if the flag is missing. Throws `usage`. */
export function integerFlag(value: string | undefined, flag: string): number | undefined {
  if (value === undefined) return undefined;
  if (!/^[+-]?\d+$/.test(value.trim()))
    throw usage(`flag --${flag}: ${JSON.stringify(value)} is not a whole number`);
  return Number(value);
}

/** A duration in Go's syntax (`3s`, `10m`, `1h30m`, `500ms`) in ms; 0 for a negative one. Throws `usage`. */
export function durationFlag(value: string, flag: string): number {
  const [, sign = "", text = ""] = /^([+-]?)(.*)$/s.exec(value.trim()) ?? [];
  if (text === "0") return 0;
  const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join("") !== text)
    throw usage(`flag --${flag}: ${JSON.stringify(value)} is not a duration`, "write it as 3s, 10m or 1h30m");
  const ms = parts.reduce((sum, part) => sum + Number(part[1]) * (units[part[2] ?? ""] ?? 0), 0);
  return sign === "-" ? 0 : ms;
}

/** The next step of a usage error that has no better one; `main` names the command in it. */
export const SEE_HELP = "for usage, run: codexlb --help";

/** The error for wrong use of a command. */
export function usage(message: string, next = SEE_HELP): CodexlbError {
  return new CodexlbError("usage", message, { next });
}

// --- internal ---

function booleanOf(name: string, value: string | undefined): boolean {
  if (value === undefined || /^(?:1|t|true|T|TRUE|True)$/.test(value)) return true;
  if (/^(?:0|f|false|F|FALSE|False)$/.test(value)) return false;
  throw usage(`flag --${name}: ${JSON.stringify(value)} is neither true nor false`);
}

function unknown(word: string, name: string, known: readonly string[]): CodexlbError {
  const meant = nearest(name, known);
  return usage(`unknown flag ${word}`, meant === undefined ? undefined : `did you mean --${meant}?`);
}

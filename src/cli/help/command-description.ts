// Reads the definitions of commands. This is the only code that walks over them: the dispatch, the help, the
// completions and the manual page use its results.

import type { ArgDef, ArgsDef, CommandDef } from "citty";
import { bareValueOf, type ForeignFlags, flagIn } from "../flags.ts";

/** Any command. Commands differ in their flags; this type has only what they have in common. */
export type Command = CommandDef<ArgsDef>;

/** A flag as help texts show it. */
export interface Flag {
  readonly name: string;
  /** The placeholder of its value; undefined if it takes none. */
  readonly hint: string | undefined;
  /** The placeholder of a value that may follow after an equals sign; undefined if there is none. */
  readonly optionalHint?: string | undefined;
  /** The description with the default value. */
  readonly description: string;
}

/** An argument after the flags as help texts show it. */
export interface Positional extends Flag {
  readonly hint: string;
  readonly required: boolean;
}

/** The description of a command. Its sub-commands are not loaded yet. */
export interface CommandDescription {
  readonly command: Command;
  /** The words that call it, without the name of the program. */
  readonly path: readonly string[];
  /** The full name, such as `codexlb account rm`. */
  readonly name: string;
  readonly description: string;
  /** The definitions of flags and arguments, for `parseFlags`. */
  readonly args: ArgsDef;
  readonly flags: readonly Flag[];
  readonly positionals: readonly Positional[];
  /** True if the command itself can be called, not only its sub-commands. */
  readonly runs: boolean;
  /** True if any number of arguments may follow. The command checks them itself; most are for another program. */
  readonly takesMore: boolean;
  /** Where flags for another program may stand. */
  readonly foreignFlags: ForeignFlags;
  readonly subCommands: ReadonlyMap<string, () => Promise<CommandDescription>>;
}

/** Describes `command`, which the words of `path` call. */
export async function describe(command: Command, path: readonly string[] = []): Promise<CommandDescription> {
  const meta = await resolve(command.meta);
  const args = (await resolve(command.args)) ?? {};
  const subCommands = Object.entries((await resolve(command.subCommands)) ?? {});
  const positionals = positionalsOf(args);
  return {
    command,
    path,
    name: meta?.name ?? "",
    description: meta?.description ?? "",
    args,
    flags: flagsOf(args),
    positionals,
    runs: command.run !== undefined,
    takesMore: positionals.some(({ name }) => name === PASSED_ON),
    foreignFlags: FOREIGN_FLAGS.get(path.join(" ")) ?? "none",
    subCommands: new Map(
      subCommands.map(([name, sub]) => [
        name,
        async () => describe((await resolve(sub)) as Command, [...path, name]),
      ]),
    ),
  };
}

/** The command that words name. */
export interface NamedCommand {
  /** As deep in the tree as possible. */
  readonly at: CommandDescription;
  /** The words for the command, including flags between the names of commands. */
  readonly rest: readonly string[];
  /** The first of these words that is not a flag of a command below `at`, nor the value of one. */
  readonly next: string | undefined;
}

/** The command that `words` name. Flags may stand between the names of commands. */
export async function commandAt(root: Command, words: readonly string[]): Promise<NamedCommand> {
  let at = await describe(root);
  let rest = words;
  for (;;) {
    const index = await nextWord(at, rest);
    const next = rest[index];
    const sub = at.subCommands.get(next ?? "");
    if (sub === undefined) return { at, rest, next };
    at = await sub();
    rest = rest.toSpliced(index, 1);
  }
}

/** The sub-commands of `described` by name. */
export async function subCommandsOf(
  described: CommandDescription,
): Promise<ReadonlyMap<string, CommandDescription>> {
  const loaded = [...described.subCommands].map(async ([name, load]) => [name, await load()] as const);
  return new Map(await Promise.all(loaded));
}

/** `root` and all commands below it, each one before its sub-commands. */
export async function everyCommand(root: Command): Promise<readonly CommandDescription[]> {
  return withAllBelow(await describe(root));
}

/** The flags among `args`. */
export function flagsOf(args: ArgsDef): Flag[] {
  return Object.entries(args)
    .filter(([, definition]) => definition.type !== "positional")
    .map(([name, definition]) => ({
      name,
      ...hintsOf(name, definition),
      description: descriptionOf(definition),
    }));
}

// --- internal ---

/** The positional of commands that pass their arguments to another program. */
const PASSED_ON = "arguments";
/** Commands that pass flags on to another program. */
const FOREIGN_FLAGS: ReadonlyMap<string, ForeignFlags> = new Map([
  ["run", "from_first_word"],
  ["account login", "after_first_word"],
]);

/** The index of the first word in `words` that is neither a flag of a command below `at` nor the value of one. */
async function nextWord(at: CommandDescription, words: readonly string[]): Promise<number> {
  if (at.subCommands.size === 0 || words[0]?.startsWith("-") !== true) return 0;
  const below = (await withAllBelow(at)).flatMap(({ flags }) => flags);
  const hints = new Map(below.map(({ name, hint }) => [name, hint]));
  for (let index = 0; index < words.length; index++) {
    const { name, value } = flagIn(words[index] ?? "");
    if (name === undefined || !hints.has(name)) return index;
    if (hints.get(name) !== undefined && value === undefined) index++;
  }
  return words.length;
}

async function withAllBelow(described: CommandDescription): Promise<CommandDescription[]> {
  const subs = await subCommandsOf(described);
  const below = await Promise.all([...subs.values()].map(withAllBelow));
  return [described, ...below.flat()];
}

function positionalsOf(args: ArgsDef): Positional[] {
  return Object.entries(args)
    .filter(([, definition]) => definition.type === "positional")
    .map(([name, definition]) => ({
      name,
      hint: hintOf(name, definition),
      description: descriptionOf(definition),
      required: definition.required !== false,
    }));
}

function hintOf(name: string, { valueHint }: ArgDef): string {
  return valueHint || name.toUpperCase();
}

function hintsOf(name: string, definition: ArgDef): Pick<Flag, "hint" | "optionalHint"> {
  if (definition.type === "boolean") return { hint: undefined };
  const hint = hintOf(name, definition);
  return bareValueOf(definition) === undefined ? { hint } : { hint: undefined, optionalHint: hint };
}

function descriptionOf({ description = "", default: byDefault }: ArgDef): string {
  if (typeof byDefault !== "string") return description;
  return description.endsWith(")")
    ? `${description.slice(0, -1)}; default ${byDefault})`
    : `${description} (default ${byDefault})`;
}

async function resolve<T>(value: T | Promise<T> | (() => T | Promise<T>)): Promise<T> {
  return typeof value === "function" ? (value as () => T | Promise<T>)() : value;
}

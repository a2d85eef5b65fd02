// Reads the definitions of commands. This is the only code that walks over them: the dispatch, the help, the
// completions and the manual page use its results.

import type { ArgDef, ArgsDef, CommandDef } from "citty";

/** Any command. Commands differ in their flags; this type has only what they have in common. */
export type Command = CommandDef<ArgsDef>;

/** A flag as help texts show it. */
export interface Flag {
  readonly name: string;
  /** The placeholder of its value; undefined if it takes none. */
  readonly hint: string | undefined;
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
  /** True if an unknown flag ends its flags, because that flag is for another program. */
  readonly passesOn: boolean;
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
    passesOn: PASSES_ON.has(path.join(" ")),
    subCommands: new Map(
      subCommands.map(([name, sub]) => [
        name,
        async () => describe((await resolve(sub)) as Command, [...path, name]),
      ]),
    ),
  };
}

/** The command that the first of `words` name, as deep in the tree as possible, and the words left for it. */
export async function commandAt(
  root: Command,
  words: readonly string[],
): Promise<{ readonly at: CommandDescription; readonly rest: readonly string[] }> {
  let at = await describe(root);
  let rest = words;
  for (;;) {
    const sub = at.subCommands.get(rest[0] ?? "");
    if (sub === undefined) return { at, rest };
    at = await sub();
    rest = rest.slice(1);
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

// --- internal ---

/** The positional of commands that pass their arguments to another program. */
const PASSED_ON = "arguments";
/** Commands whose flags end where those of another program begin. */
const PASSES_ON: ReadonlySet<string> = new Set(["run"]);

async function withAllBelow(described: CommandDescription): Promise<CommandDescription[]> {
  const subs = await subCommandsOf(described);
  const below = await Promise.all([...subs.values()].map(withAllBelow));
  return [described, ...below.flat()];
}

function flagsOf(args: ArgsDef): Flag[] {
  return Object.entries(args)
    .filter(([, definition]) => definition.type !== "positional")
    .map(([name, definition]) => ({
      name,
      hint: definition.type === "boolean" ? undefined : hintOf(name, definition),
      description: descriptionOf(definition),
    }));
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

function descriptionOf({ description = "", default: byDefault }: ArgDef): string {
  if (typeof byDefault !== "string") return description;
  return description.endsWith(")")
    ? `${description.slice(0, -1)}; default ${byDefault})`
    : `${description} (default ${byDefault})`;
}

async function resolve<T>(value: T | Promise<T> | (() => T | Promise<T>)): Promise<T> {
  return typeof value === "function" ? (value as () => T | Promise<T>)() : value;
}

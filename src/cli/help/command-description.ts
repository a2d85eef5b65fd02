// What the definitions of the commands say, and the only walk over them: the dispatch, the help, completions and the
// manual page are made from this.

import type { ArgDef, ArgsDef, CommandDef } from "citty";

/** Any command. Commands differ in their flags; this type has only what they have in common. */
export type Command = CommandDef<ArgsDef>;

/** A flag, as texts show it. */
export interface Flag {
  readonly name: string;
  /** What stands for its value; undefined when it takes none. */
  readonly hint: string | undefined;
  /** With its default. */
  readonly description: string;
}

/** A word behind the flags, as texts show it. */
export interface Positional extends Flag {
  readonly hint: string;
  readonly required: boolean;
}

/** A command with its definition read; its sub-commands are not loaded yet. */
export interface Described {
  readonly command: Command;
  /** The words that call it, without the program's name. */
  readonly path: readonly string[];
  /** `codexlb account rm`. */
  readonly name: string;
  readonly description: string;
  /** As they are defined, for `parseFlags`. */
  readonly args: ArgsDef;
  readonly flags: readonly Flag[];
  readonly positionals: readonly Positional[];
  /** It can be called itself, and not only its sub-commands. */
  readonly runs: boolean;
  /** It counts its words itself: any number may follow, most often for another program. */
  readonly takesMore: boolean;
  /** A flag that is not its own ends its flags: it is for that other program. */
  readonly passesOn: boolean;
  readonly subCommands: ReadonlyMap<string, () => Promise<Described>>;
}

/** `command`, called by the words of `path`. */
export async function describe(command: Command, path: readonly string[] = []): Promise<Described> {
  const meta = await resolved(command.meta);
  const args = (await resolved(command.args)) ?? {};
  const subCommands = Object.entries((await resolved(command.subCommands)) ?? {});
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
        async () => describe((await resolved(sub)) as Command, [...path, name]),
      ]),
    ),
  };
}

/** The command that `words` call, as far down as they name one, and the words that are left for it. */
export async function commandAt(
  root: Command,
  words: readonly string[],
): Promise<{ readonly at: Described; readonly rest: readonly string[] }> {
  let at = await describe(root);
  let rest = words;
  for (;;) {
    const sub = at.subCommands.get(rest[0] ?? "");
    if (sub === undefined) return { at, rest };
    at = await sub();
    rest = rest.slice(1);
  }
}

/** The sub-commands of `described`, by their names in it. */
export async function subCommandsOf(described: Described): Promise<ReadonlyMap<string, Described>> {
  const loaded = [...described.subCommands].map(async ([name, load]) => [name, await load()] as const);
  return new Map(await Promise.all(loaded));
}

/** `root` and everything below it, each command before its sub-commands. */
export async function everyCommand(root: Command): Promise<readonly Described[]> {
  return withAllBelow(await describe(root));
}

// --- internal ---

/** The positional of commands whose further words are another program's. */
const PASSED_ON = "arguments";
/** Commands whose flags end where another program's begin. */
const PASSES_ON: ReadonlySet<string> = new Set(["run"]);

async function withAllBelow(described: Described): Promise<Described[]> {
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
  return typeof byDefault === "string" ? `${description} (default ${byDefault})` : description;
}

async function resolved<T>(value: T | Promise<T> | (() => T | Promise<T>)): Promise<T> {
  return typeof value === "function" ? (value as () => T | Promise<T>)() : value;
}

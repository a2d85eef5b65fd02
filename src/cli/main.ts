// Runs a command line: finds the command, reads its flags, prints help, and turns errors into messages and exit codes.
// Sub-commands are loaded only when they are called.

import type { ParsedArgs } from "citty";
import { setAdvisedFlags } from "../advice.ts";
import { nearest } from "../core/nearest.ts";
import { VERSION_WORDS } from "../core/version-words.ts";
import { systemDeps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import { print } from "../print.ts";
import { outputColumns } from "../terminal-columns.ts";
import { flagsOfCommand } from "./advised-flags.ts";
import { COMMANDS } from "./command-tree.ts";
import { flagIn, parseFlags, SEE_HELP, usage } from "./flags.ts";
import {
  type CommandDescription,
  commandAt,
  everyCommand,
  type NamedCommand,
  subCommandsOf,
} from "./help/command-description.ts";
import { helpText } from "./help/help-text.ts";
import { handleUncaughtErrors, report } from "./report-error.ts";
import { flushOutput, watchOutput } from "./terminal/standard-output.ts";
import { wantsColour } from "./terminal/terminal.ts";

/** Runs `argv`, without the name of the program. Resolves to the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const words = argv.length === 0 ? ["run"] : argv;
  const named = await commandAt(COMMANDS, words);
  // The proxy keeps serving, even if its output cannot be written.
  const serves = named.at.path.join(" ") === "proxy";
  handleUncaughtErrors(serves);
  watchOutput(serves);
  try {
    await dispatch(words, named);
  } catch (error) {
    process.exitCode = report(error);
  }
  await flushOutput();
  return Number(process.exitCode ?? 0);
}

// --- internal ---

/** The command that completion scripts call. It is not for people, so it has no help. */
const COMPLETE = "__complete";

async function dispatch(argv: readonly string[], { at, rest: words, next }: NamedCommand): Promise<void> {
  if (argv[0] === COMPLETE)
    return (await import("./completions/complete.ts")).complete(COMMANDS, argv.slice(1));
  // `quickAnswer` has printed the version if there are no other words.
  if (VERSION_WORDS.has(argv[0] ?? ""))
    throw usage(`unexpected argument ${JSON.stringify(argv[1])}`, `${argv[0]} takes no arguments`);
  const word = next ?? words[0];
  // A command with sub-commands can have arguments too. Then a word that is not a sub-command is one of them.
  if (at.subCommands.size > 0 && !at.runs) {
    if (word === undefined) {
      print(await help(at));
      throw usage(
        `${at.path.join(" ")} needs a command`,
        `commands: ${[...at.subCommands.keys()].join(", ")}`,
      );
    }
    if (word === "help") return helpOn([...at.path, ...words.slice(words.indexOf(word) + 1)]);
    if (word === "-h" || word === "--help" || word === "-help") return print(await help(at));
    const open = next === undefined ? await openFlag(words, at) : undefined;
    if (open !== undefined)
      throw usage(
        `flag --${open} needs a value`,
        `then name a command: ${[...at.subCommands.keys()].join(", ")}`,
      );
    throw await unknownCommand(word, at);
  }
  if (word === "help" && words.length === 1) return print(await help(at));
  try {
    await runCommand(at, words);
  } catch (error) {
    throw withHelp(error, at);
  }
}

async function runCommand(at: CommandDescription, words: readonly string[]): Promise<void> {
  const { values, rest, help: wantsHelp } = parseFlags(at.args, words, at.foreignFlags);
  if (wantsHelp) return print(await help(at));
  setAdvisedFlags(flagsOfCommand(values, process.env));
  const named = Object.fromEntries(
    at.positionals.flatMap(({ name }, index) => (rest[index] === undefined ? [] : [[name, rest[index]]])),
  );
  if (!at.takesMore) refuseSurplus(at, rest);
  const args = { ...values, ...named, _: [...rest] } as ParsedArgs;
  try {
    await at.command.run?.({ rawArgs: [...rest], args, cmd: at.command });
  } catch (error) {
    // A proxy that the user named need not be on the root.
    if (args["proxy-url"] || process.env.CODEXLB_PROXY_URL) throw error;
    const { withRootCheck } = await import("./context.ts");
    throw withRootCheck(error, String(args.root ?? ""), process.env);
  }
}

/** Adds a next step that names the help to a usage error without a better one. */
function withHelp(error: unknown, { name }: CommandDescription): unknown {
  if (!(error instanceof CodexlbError) || error.code !== "usage" || error.next !== SEE_HELP) return error;
  return usage(error.message, `for usage, run: ${name} --help`);
}

/**
 * Refuses arguments that a command does not take, because they are typing errors. The Go program ignores them, so the
 * commands that its scripts call only warn. `codexlb proxy` refuses them, because a mistyped sub-command must not start
 * a proxy. Commands with arguments check their number themselves.
 */
function refuseSurplus(at: CommandDescription, [first]: readonly string[]): void {
  if (first === undefined || at.positionals.length > 0) return;
  const known = [...at.subCommands.keys()];
  const meant = MEANT.get(first)?.find((name) => known.includes(name)) ?? nearest(first, known);
  if (meant === undefined && FORGIVING.has(at.name))
    return systemDeps().log.warn(`${at.name} ignores the argument ${JSON.stringify(first)}`);
  throw usage(
    `unexpected argument ${JSON.stringify(first)}`,
    meant === undefined ? undefined : `did you mean ${meant}?`,
  );
}

const FORGIVING: ReadonlySet<string> = new Set([
  "codexlb proxy logs",
  "codexlb status",
  "codexlb doctor",
  "codexlb account list",
]);

/** `codexlb help account pin`. */
async function helpOn(path: readonly string[]): Promise<void> {
  const { at, rest } = await commandAt(COMMANDS, path);
  if (rest[0] !== undefined) throw await unknownCommand(rest[0], at);
  print(await help(at));
}

async function help(command: CommandDescription): Promise<string> {
  const style = { columns: outputColumns(process.env), colour: wantsColour(process.env) };
  return helpText(command, await subCommandsOf(command), style);
}

/** The flag of a command below `at` that ends `words` without its value; undefined if there is none. */
async function openFlag(words: readonly string[], at: CommandDescription): Promise<string | undefined> {
  const { name, value } = flagIn(words.at(-1) ?? "");
  const flags = (await everyCommand(at.command)).flatMap((command) => command.flags);
  const takesValue = flags.some((flag) => flag.name === name && flag.hint !== undefined);
  return takesValue && value === undefined ? name : undefined;
}

async function unknownCommand(word: string, at: CommandDescription): Promise<CodexlbError> {
  const known = [...at.subCommands.keys()];
  const error = (next: string) => usage(`unknown command: ${word}`, next);
  if (word.startsWith("-")) return error(`name a command first: ${known.join(", ")}`);
  if (at.path.length === 0 && CODEX_COMMANDS.has(word))
    return error(`it is a command of Codex; run: codexlb run ${word} ...`);
  const meant = (MEANT.get(word) ?? []).filter((name) => known.includes(name));
  if (meant.length > 0)
    return error(`did you mean ${meant.map((name) => `${at.name} ${name}`).join(", or ")}?`);
  const similar = nearest(word, known);
  const inGroup = at.path.length > 0;
  if (inGroup && similar !== undefined) return error(`did you mean ${similar}?`);
  const elsewhere = (await everyCommand(COMMANDS)).filter(({ path }) =>
    inGroup ? path.length === 1 && path[0] === word : isShortFor(word, path),
  );
  if (elsewhere.length > 0) return error(`did you mean ${elsewhere.map(({ name }) => name).join(", or ")}?`);
  if (similar !== undefined) return error(`did you mean ${similar}?`);
  const hint = GROUP_HINTS.get(at.path.join(" "));
  return error(`${hint === undefined ? "" : `${hint}; `}commands: ${known.join(", ")}`);
}

/** True if people could mean the command at `path` by `word`: some omit the words before it, or the end of its name. */
function isShortFor(word: string, path: readonly string[]): boolean {
  if (path.length > 1) return [word, ...(MEANT.get(word) ?? [])].includes(path.at(-1) ?? "");
  return path[0]?.startsWith(`${word}-`) === true;
}

/** What to do in place of a sub-command that a group does not have. */
const GROUP_HINTS: ReadonlyMap<string, string> = new Map([
  ["config", "to change a setting, edit the file whose path this command prints: codexlb config path"],
]);

/** The names that codexlb has for commands that people know by another name. */
const MEANT: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    "ls ps": ["list"],
    "remove delete del logout": ["rm"],
    "add new create enrol enroll": ["add", "login", "import"],
    "info get cat view": ["show"],
    "use switch select": ["pin"],
    "up serve": ["start"],
    "down kill quit": ["stop"],
    log: ["logs"],
    reload: ["restart"],
  }).flatMap(([words, names]) => words.split(" ").map((word) => [word, names] as const)),
);

/** Commands of Codex that codexlb does not have. */
const CODEX_COMMANDS: ReadonlySet<string> = new Set(
  "exec e review resume fork apply mcp features".split(" "),
);

// Runs a command line: finds the command, reads its flags, prints help, and turns errors into messages and exit codes.
// Sub-commands are loaded only when they are called.

import type { ParsedArgs } from "citty";
import { nearest } from "../core/nearest.ts";
import { VERSION_WORDS } from "../core/version-words.ts";
import { systemDeps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import { print } from "../print.ts";
import { COMMANDS } from "./command-tree.ts";
import { type ParsedFlags, parseFlags, SEE_HELP, usage } from "./flags.ts";
import {
  type CommandDescription,
  commandAt,
  everyCommand,
  subCommandsOf,
} from "./help/command-description.ts";
import { helpText } from "./help/help-text.ts";
import { handleUncaughtErrors, report } from "./report-error.ts";
import { flushOutput, watchOutput } from "./terminal/standard-output.ts";
import { outputColumns, wantsColour } from "./terminal/terminal.ts";

/** Runs `argv`, without the name of the program. Resolves to the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  // The proxy keeps serving, even if its output cannot be written.
  const serves = argv[0] === "proxy" && argv[1] !== "logs";
  handleUncaughtErrors(serves);
  watchOutput(serves);
  try {
    await dispatch(argv.length === 0 ? ["run"] : argv);
  } catch (error) {
    process.exitCode = report(error);
  }
  await flushOutput();
  return Number(process.exitCode ?? 0);
}

// --- internal ---

/** The command that completion scripts call. It is not for people, so it has no help. */
const COMPLETE = "__complete";

async function dispatch(argv: readonly string[]): Promise<void> {
  if (argv[0] === COMPLETE)
    return (await import("./completions/complete.ts")).complete(COMMANDS, argv.slice(1));
  // `quickAnswer` has printed the version if there are no other words.
  if (VERSION_WORDS.has(argv[0] ?? ""))
    throw usage(`unexpected argument ${JSON.stringify(argv[1])}`, `${argv[0]} takes no arguments`);
  const { at, rest: words } = await commandAt(COMMANDS, argv);
  const [word] = words;
  // A command with sub-commands can have arguments too. Then a word that is not a sub-command is one of them.
  if (at.subCommands.size > 0 && !at.runs) {
    if (word === undefined) {
      print(await help(at));
      throw usage(
        `${at.path.join(" ")} needs a command`,
        `commands: ${[...at.subCommands.keys()].join(", ")}`,
      );
    }
    if (word === "help") return helpOn([...at.path, ...words.slice(1)]);
    if (word === "-h" || word === "--help" || word === "-help") return print(await help(at));
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
  const parsed = parseFlags(at.args, words, at.passesOn);
  const { values, rest } = parsed;
  if (parsed.help) return print(await help(at));
  const named = Object.fromEntries(
    at.positionals.flatMap(({ name }, index) => (rest[index] === undefined ? [] : [[name, rest[index]]])),
  );
  if (!at.takesMore) refuseSurplus(at, parsed);
  const args = { ...values, ...named, _: [...rest] } as ParsedArgs;
  await at.command.run?.({ rawArgs: [...rest], args, cmd: at.command });
}

/** Adds a next step that names the help to a usage error without a better one. */
function withHelp(error: unknown, { name }: CommandDescription): unknown {
  if (!(error instanceof CodexlbError) || error.code !== "usage" || error.next !== SEE_HELP) return error;
  return usage(error.message, `for usage, run: ${name} --help`);
}

/**
 * Refuses arguments that a command does not take, and flags after them, because they are typing errors. The Go program
 * ignores them, so the commands that its scripts call only warn. Commands with arguments check their number themselves.
 */
function refuseSurplus(at: CommandDescription, { rest, separated }: ParsedFlags): void {
  const [first] = rest;
  const flag = separated ? undefined : rest.find((word) => /^--?[a-z]/i.test(word));
  if (flag !== undefined)
    throw usage(`flag ${flag} comes after ${first}`, "put flags before other arguments");
  if (first === undefined || at.positionals.length > 0) return;
  const meant = nearest(first, [...at.subCommands.keys()]);
  if (meant === undefined && FORGIVING.has(at.name))
    return systemDeps().log.warn(`${at.name} ignores the argument ${JSON.stringify(first)}`);
  throw usage(
    `unexpected argument ${JSON.stringify(first)}`,
    meant === undefined ? undefined : `did you mean ${meant}?`,
  );
}

const FORGIVING: ReadonlySet<string> = new Set([
  "codexlb proxy",
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

async function unknownCommand(word: string, at: CommandDescription): Promise<CodexlbError> {
  const known = [...at.subCommands.keys()];
  // Some people omit the words before it.
  const elsewhere = (await everyCommand(COMMANDS)).filter(
    ({ path }) => path.at(-1) === word || (path.length === 1 && path[0]?.startsWith(`${word}-`)),
  );
  if (at.path.length === 0 && CODEX_COMMANDS.has(word))
    return usage(`unknown command: ${word}`, `it is a command of Codex; run: codexlb run ${word} ...`);
  const meant = nearest(word, known);
  const names = elsewhere.length > 0 ? elsewhere.map(({ name }) => name) : meant === undefined ? [] : [meant];
  return usage(
    `unknown command: ${word}`,
    names.length === 0 ? `commands: ${known.join(", ")}` : `did you mean ${names.join(", or ")}?`,
  );
}

/** Commands of Codex that codexlb does not have. */
const CODEX_COMMANDS: ReadonlySet<string> = new Set(
  "exec e review resume fork apply mcp features".split(" "),
);

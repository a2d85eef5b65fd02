// From the command line to a command: finds it, reads its flags, prints help, and turns errors into messages and
// exit codes. Sub-commands are loaded only when they are called.

import type { ParsedArgs } from "citty";
import { nearest } from "../core/nearest.ts";
import { VERSION_WORDS } from "../core/version-words.ts";
import { systemDeps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import { print } from "../print.ts";
import { COMMANDS } from "./command-tree.ts";
import { type ParsedFlags, parseFlags, usage } from "./flags.ts";
import { commandAt, type Described, everyCommand, subCommandsOf } from "./help/command-description.ts";
import { helpText } from "./help/help-text.ts";
import { catchSurprises, report } from "./report-error.ts";
import { flushOutput, watchOutput } from "./terminal/standard-output.ts";
import { outputColumns, wantsColour } from "./terminal/terminal.ts";

/** Runs `argv` (without the program's name); resolves to the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  // Whoever serves others goes on whatever happens to its own output.
  const serves = argv[0] === "proxy" && argv[1] !== "logs";
  catchSurprises(serves);
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

/** What the shells' completion scripts call; not for people, so it is no command with a help. */
const COMPLETE = "__complete";

async function dispatch(argv: readonly string[]): Promise<void> {
  if (argv[0] === COMPLETE)
    return (await import("./completions/complete.ts")).complete(COMMANDS, argv.slice(1));
  // Without other words, `quickAnswer` has printed the version.
  if (VERSION_WORDS.has(argv[0] ?? ""))
    throw usage(`unexpected word ${JSON.stringify(argv[1])}`, `${argv[0]} takes no other words`);
  const { at, rest: words } = await commandAt(COMMANDS, argv);
  const [word] = words;
  // A command with sub-commands may also be one itself: then what is no sub-command of it are its own words.
  if (at.subCommands.size > 0 && !at.runs) {
    if (word === undefined) {
      print(await help(at));
      throw usage(`which command? ${[...at.subCommands.keys()].join(", ")}`);
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

async function runCommand(at: Described, words: readonly string[]): Promise<void> {
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

/** Adds a next step that names the help to a usage error without one. */
function withHelp(error: unknown, { name }: Described): unknown {
  if (!(error instanceof CodexlbError) || error.code !== "usage" || error.next !== undefined) return error;
  return usage(error.message, `for usage, run: ${name} --help`);
}

/**
 * Words that a command has no use for are typing errors, as are flags behind them. The Go program passes over them, so
 * its commands that scripts know merely warn. Commands that take words count them themselves.
 */
function refuseSurplus(at: Described, { rest, separated }: ParsedFlags): void {
  const [first] = rest;
  const flag = separated ? undefined : rest.find((word) => /^--?[a-z]/i.test(word));
  if (flag !== undefined) throw usage(`flag ${flag} stands behind ${first}`, "flags go before other words");
  if (first === undefined || at.positionals.length > 0) return;
  const meant = nearest(first, [...at.subCommands.keys()]);
  if (meant === undefined && FORGIVING.has(at.name))
    return systemDeps().log.warn(`${at.name} has no use for ${JSON.stringify(first)}`);
  throw usage(
    `unexpected word ${JSON.stringify(first)}`,
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

async function help(command: Described): Promise<string> {
  const style = { columns: outputColumns(process.env), colour: wantsColour(process.env) };
  return helpText(command, await subCommandsOf(command), style);
}

async function unknownCommand(word: string, at: Described): Promise<CodexlbError> {
  const known = [...at.subCommands.keys()];
  // Some people leave out the words before it.
  const elsewhere = (await everyCommand(COMMANDS)).filter(
    ({ path }) => path.at(-1) === word || (path.length === 1 && path[0]?.startsWith(`${word}-`)),
  );
  if (at.path.length === 0 && CODEX_COMMANDS.has(word))
    return usage(`unknown command: ${word}`, `it is one of Codex's: codexlb run ${word} ...`);
  const meant = nearest(word, known);
  const names = elsewhere.length > 0 ? elsewhere.map(({ name }) => name) : meant === undefined ? [] : [meant];
  return usage(
    `unknown command: ${word}`,
    names.length === 0 ? `commands: ${known.join(", ")}` : `did you mean ${names.join(", or ")}?`,
  );
}

/** Of Codex, and none of ours. */
const CODEX_COMMANDS: ReadonlySet<string> = new Set(
  "exec e review resume fork apply mcp features".split(" "),
);

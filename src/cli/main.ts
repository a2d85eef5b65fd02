// From the command line to a command: finds it, reads its flags, prints help, and turns errors into messages and
// exit codes. Sub-commands are loaded only when they are called.

import { type ArgsDef, type CommandDef, defineCommand, type ParsedArgs } from "citty";
import { nearest } from "../core/nearest.ts";
import { CodexlbError, messageOf } from "../errors.ts";
import { parseFlags, usage } from "./flags.ts";
import { type HelpEntry, helpText } from "./help.ts";
import { outputColumns, wantsColour } from "./terminal.ts";

// Commands differ in their flags; here only what they have in common matters.
type Command = CommandDef<ArgsDef>;
type LoadedCommand = { readonly default: unknown };

const lazy = (load: () => Promise<LoadedCommand>) => async () => (await load()).default as Command;

const ROOT: Command = defineCommand({
  meta: {
    name: "codexlb",
    description: "Runs Codex over several ChatGPT accounts of your own. Without arguments: codexlb run.",
  },
  subCommands: {
    proxy: lazy(() => import("./commands/proxy.ts")),
    account: lazy(() => import("./commands/account.ts")),
    "login-with": lazy(() => import("./commands/login-with.ts")),
    run: lazy(() => import("./commands/run.ts")),
    status: lazy(() => import("./commands/status.ts")),
    explain: lazy(() => import("./commands/explain.ts")),
    config: lazy(() => import("./commands/config.ts")),
    key: lazy(() => import("./commands/key.ts")),
    doctor: lazy(() => import("./commands/doctor.ts")),
    mock: lazy(() => import("./commands/mock.ts")),
    demo: lazy(() => import("./commands/demo.ts")),
  },
});

/** The positional of commands whose further words are another program's. */
const PASSED_ON = "arguments";
/** Commands whose flags end where another program's begin. */
const PASSES_ON: ReadonlySet<string> = new Set(["run"]);

/** Runs `argv` (without the program's name); resolves to the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    await dispatch(argv.length === 0 ? ["run"] : argv);
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return report(error);
  }
}

// --- internal ---

async function dispatch(argv: readonly string[]): Promise<void> {
  let command = ROOT;
  let words = argv;
  for (;;) {
    const subCommands = await resolved(command.subCommands);
    if (subCommands === undefined) break;
    const [word, ...rest] = words;
    // A command with sub-commands may also be one itself: then what is no sub-command of it are its own words.
    if (command.run !== undefined && (word === undefined || !Object.hasOwn(subCommands, word))) break;
    if (word === undefined) {
      process.stdout.write(await help(command));
      throw usage(`which command? ${Object.keys(subCommands).join(", ")}`);
    }
    if (word === "help" || word === "-h" || word === "--help" || word === "-help")
      return void process.stdout.write(await help(command));
    const sub = Object.hasOwn(subCommands, word) ? subCommands[word] : undefined;
    if (sub === undefined) throw unknownCommand(word, Object.keys(subCommands));
    command = (await resolved(sub)) as Command;
    words = rest;
  }
  const definitions = (await resolved(command.args)) ?? {};
  if (words[0] === "help" && words.length === 1) return void process.stdout.write(await help(command));
  const { values, rest, help: asked } = parseFlags(definitions, words, PASSES_ON.has(argv[0] ?? ""));
  if (asked) return void process.stdout.write(await help(command));
  const positionals = Object.entries(definitions).filter(
    ([, definition]) => definition.type === "positional",
  );
  const named = Object.fromEntries(
    positionals.flatMap(([name], index) => (rest[index] === undefined ? [] : [[name, rest[index]]])),
  );
  if (!Object.hasOwn(definitions, PASSED_ON)) refuseSurplus(rest, positionals.length, await namesOf(command));
  const args = { ...values, ...named, _: [...rest] } as ParsedArgs;
  await command.run?.({ rawArgs: [...rest], args, cmd: command });
}

/**
 * Words that a command has no use for are typing errors, as are flags behind them. Commands that take words count
 * them themselves.
 */
function refuseSurplus(words: readonly string[], wanted: number, subCommands: readonly string[]): void {
  const flag = words.find((word) => /^--?[a-z]/i.test(word));
  if (flag !== undefined)
    throw usage(`flag ${flag} stands behind ${words[0]}`, "flags go before other words");
  const [first] = words;
  if (wanted > 0 || first === undefined) return;
  const meant = nearest(first, subCommands);
  throw usage(
    `unexpected word ${JSON.stringify(first)}`,
    meant === undefined ? undefined : `did you mean ${meant}?`,
  );
}

async function namesOf(command: Command): Promise<string[]> {
  return Object.keys((await resolved(command.subCommands)) ?? {});
}

async function resolved<T>(value: T | Promise<T> | (() => T | Promise<T>)): Promise<T> {
  return typeof value === "function" ? (value as () => T | Promise<T>)() : value;
}

async function help(command: Command): Promise<string> {
  const subCommands = (await resolved(command.subCommands)) ?? {};
  const entries = await Promise.all(
    Object.entries(subCommands).map(async ([name, sub]): Promise<HelpEntry> => {
      const meta = await resolved(((await resolved(sub)) as Command).meta);
      return { name, description: meta?.description ?? "" };
    }),
  );
  const style = { columns: outputColumns(process.env), colour: wantsColour(process.env) };
  return helpText((await resolved(command.meta)) ?? {}, (await resolved(command.args)) ?? {}, entries, style);
}

function unknownCommand(word: string, known: readonly string[]): CodexlbError {
  const meant = nearest(word, known);
  return usage(
    `unknown command: ${word}`,
    meant === undefined ? `commands: ${known.join(", ")}` : `did you mean ${meant}?`,
  );
}

/** `codexlb: <what failed and why>`, then the next step on a line of its own. */
function report(error: unknown): number {
  process.stderr.write(`codexlb: ${messageOf(error)}\n`);
  if (error instanceof CodexlbError && error.next !== undefined) process.stderr.write(`  ${error.next}\n`);
  if (process.env.CODEXLB_DEBUG === "1" && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return error instanceof CodexlbError ? error.exitCode : 1;
}

// From the command line to a command: finds it, reads its flags, prints help, and turns errors into messages and
// exit codes. Sub-commands are loaded only when they are called.

import { type ArgsDef, type CommandDef, defineCommand, type ParsedArgs, renderUsage } from "citty";
import { CodexlbError, messageOf } from "../errors.ts";
import { COMMIT, VERSION } from "../version.ts";
import { nearest, parseFlags, usage } from "./flags.ts";

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
    run: lazy(() => import("./commands/run.ts")),
    status: lazy(() => import("./commands/status.ts")),
    mock: lazy(() => import("./commands/mock.ts")),
    demo: lazy(() => import("./commands/demo.ts")),
  },
});

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
  if (argv[0] === "--version" || argv[0] === "-version" || argv[0] === "-v" || argv[0] === "version")
    return void process.stdout.write(`codexlb ${VERSION} (${COMMIT}, bun ${Bun.version})\n`);
  let command = ROOT;
  let words = argv;
  for (;;) {
    const subCommands = await resolved(command.subCommands);
    if (subCommands === undefined) break;
    const [word, ...rest] = words;
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
  const args = { ...values, ...named, _: [...rest] } as ParsedArgs;
  await command.run?.({ rawArgs: [...rest], args, cmd: command });
}

async function resolved<T>(value: T | Promise<T> | (() => T | Promise<T>)): Promise<T> {
  return typeof value === "function" ? (value as () => T | Promise<T>)() : value;
}

async function help(command: Command): Promise<string> {
  const text = `${await renderUsage(command)}\n`;
  return process.stdout.isTTY && !process.env.NO_COLOR ? text : Bun.stripANSI(text);
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

// The help of a command, from its description. It is as wide as the terminal, and nothing is cut off.

import type { CommandDescription, Flag, Positional } from "./command-description.ts";
import { examplesOf } from "./examples.ts";

/** How the help is shown. */
export interface HelpStyle {
  /** The width of the output; undefined if it is not a terminal. */
  readonly columns: number | undefined;
  readonly colour: boolean;
}

/** The help text of `command`. `subCommands` has its sub-commands by name. */
export function helpText(
  command: CommandDescription,
  subCommands: ReadonlyMap<string, CommandDescription>,
  { columns = PIPE_COLUMNS, colour }: HelpStyle,
): string {
  const width = Math.min(WIDEST, Math.max(NARROWEST, columns));
  const heading = (text: string) => (colour ? `\u001b[1m${text}\u001b[0m` : text);
  const commands = [...subCommands].map(([name, { description }]) => ({ name, description }));
  const sections = [
    wrap(command.description, width, "").join("\n"),
    `${heading("Usage:")} ${[command.name, ...usageWords(command)].join(" ")}`,
    section(heading("Commands:"), commands, width),
    section(heading("Arguments:"), command.positionals.map(wordEntry), width),
    section(heading("Flags:"), command.flags.map(flagEntry), width),
    examples(heading("Examples:"), command),
    ...(commands.length > 0 ? [`${command.name} COMMAND --help shows the flags of a command.`] : []),
  ];
  return `${sections.filter((text) => text !== "").join("\n\n")}\n`;
}

/** What can follow the name of the command: `[FLAGS]`, `COMMAND`, arguments. */
export function usageWords({ flags, subCommands, positionals }: CommandDescription): string[] {
  const subCommand = flags.length > 0 ? "[COMMAND]" : "COMMAND";
  return [
    ...(flags.length > 0 ? ["[FLAGS]"] : []),
    ...(subCommands.size > 0 ? [subCommand] : []),
    ...positionals.map(({ hint, required }) => (required ? hint : `[${hint}]`)),
  ];
}

// --- internal ---

/** The width for pipes and files. */
const PIPE_COLUMNS = 100;
const NARROWEST = 50;
/** Longer lines are hard to read. */
const WIDEST = 120;
/** The longest name that shares its line with the description. */
const NAME_COLUMNS = 26;

/** A name and its description in a section. */
interface Entry {
  readonly name: string;
  readonly description: string;
}

function wordEntry({ hint, description }: Positional): Entry {
  return { name: hint, description };
}

function flagEntry({ name, hint, optionalHint, description }: Flag): Entry {
  const value = optionalHint === undefined ? "" : `[=${optionalHint}]`;
  return { name: hint === undefined ? `--${name}${value}` : `--${name} ${hint}`, description };
}

function section(heading: string, entries: readonly Entry[], width: number): string {
  if (entries.length === 0) return "";
  const longest = Math.max(
    ...entries.map(({ name }) => name.length).filter((length) => length <= NAME_COLUMNS),
    0,
  );
  const indent = " ".repeat(longest + 4);
  const lines = entries.flatMap(({ name, description }) => {
    const text = wrap(description, width, indent);
    if (name.length > longest) return [`  ${name}`, ...text];
    return [`  ${name.padEnd(longest)}  ${text[0]?.trimStart() ?? ""}`, ...text.slice(1)];
  });
  return [heading, ...lines].join("\n");
}

/** Each example on a line of its own, so that it can be copied, below what it does. */
function examples(heading: string, { name }: CommandDescription): string {
  const lines = examplesOf(name).flatMap(({ line, purpose }) => [`  # ${purpose}`, `  ${line}`]);
  return lines.length === 0 ? "" : [heading, ...lines].join("\n");
}

function wrap(text: string, width: number, indent: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent.length + line.length + 1 + word.length > width) {
      lines.push(indent + line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" ? lines : [...lines, indent + line];
}

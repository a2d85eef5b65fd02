// The help of a command, made from its definition: as wide as the terminal, one entry a flag, nothing cut off.

import type { Described, Flag, Positional } from "./command-description.ts";

export interface HelpStyle {
  /** Width of the output; undefined when it is no terminal. */
  readonly columns: number | undefined;
  readonly colour: boolean;
}

/** The help text of `command`, whose sub-commands are `subCommands` by their names. */
export function helpText(
  command: Described,
  subCommands: ReadonlyMap<string, Described>,
  { columns = PIPE_COLUMNS, colour }: HelpStyle,
): string {
  const width = Math.min(WIDEST, Math.max(NARROWEST, columns));
  const heading = (text: string) => (colour ? `\u001b[1m${text}\u001b[0m` : text);
  const commands = [...subCommands].map(([name, { description }]) => ({ name, description }));
  const sections = [
    wrapped(command.description, width, "").join("\n"),
    `${heading("Usage:")} ${[command.name, ...usageWords(command)].join(" ")}`,
    section(heading("Commands:"), commands, width),
    section(heading("Arguments:"), command.positionals.map(wordEntry), width),
    section(heading("Flags:"), command.flags.map(flagEntry), width),
    ...(commands.length > 0 ? [`${command.name} COMMAND --help shows the flags of a command.`] : []),
  ];
  return `${sections.filter((text) => text !== "").join("\n\n")}\n`;
}

/** What may follow the name of `command`: `[FLAGS]`, `COMMAND`, its own words. */
export function usageWords({ flags, subCommands, positionals }: Described): string[] {
  const subCommand = flags.length > 0 ? "[COMMAND]" : "COMMAND";
  return [
    ...(flags.length > 0 ? ["[FLAGS]"] : []),
    ...(subCommands.size > 0 ? [subCommand] : []),
    ...positionals.map(({ hint, required }) => (required ? hint : `[${hint}]`)),
  ];
}

// --- internal ---

/** As wide as most tools write when they do not know. */
const PIPE_COLUMNS = 100;
const NARROWEST = 50;
/** Longer lines are hard to read. */
const WIDEST = 120;
/** Names longer than this get a line of their own. */
const NAME_COLUMNS = 26;

/** A line of a section: what is explained, and how. */
interface Entry {
  readonly name: string;
  readonly description: string;
}

function wordEntry({ hint, description }: Positional): Entry {
  return { name: hint, description };
}

function flagEntry({ name, hint, description }: Flag): Entry {
  return { name: hint === undefined ? `--${name}` : `--${name} ${hint}`, description };
}

function section(heading: string, entries: readonly Entry[], width: number): string {
  if (entries.length === 0) return "";
  const longest = Math.max(
    ...entries.map(({ name }) => name.length).filter((length) => length <= NAME_COLUMNS),
    0,
  );
  const indent = " ".repeat(longest + 4);
  const lines = entries.flatMap(({ name, description }) => {
    const text = wrapped(description, width, indent);
    if (name.length > longest) return [`  ${name}`, ...text];
    return [`  ${name.padEnd(longest)}  ${text[0]?.trimStart() ?? ""}`, ...text.slice(1)];
  });
  return [heading, ...lines].join("\n");
}

function wrapped(text: string, width: number, indent: string): string[] {
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

// The help of a command, made from its definition: as wide as the terminal, one entry a flag, nothing cut off.

import type { ArgsDef } from "citty";

export interface HelpStyle {
  /** Width of the output; undefined when it is no terminal. */
  readonly columns: number | undefined;
  readonly colour: boolean;
}

/** A sub-command by its name, with what it does. */
export interface HelpEntry {
  readonly name: string;
  readonly description: string;
}

/** The help text of `command`, whose flags and arguments are `args`. */
export function helpText(
  meta: { readonly name?: string; readonly description?: string },
  args: ArgsDef,
  subCommands: readonly HelpEntry[],
  { columns = PIPE_COLUMNS, colour }: HelpStyle,
): string {
  const width = Math.min(WIDEST, Math.max(NARROWEST, columns));
  const heading = (text: string) => (colour ? `\u001b[1m${text}\u001b[0m` : text);
  const positionals = entriesOf(args, true);
  const flags = entriesOf(args, false);
  const words = [
    meta.name ?? "",
    ...(flags.length > 0 ? ["[FLAGS]"] : []),
    ...(subCommands.length > 0 ? [flags.length > 0 ? "[COMMAND]" : "COMMAND"] : []),
    ...usageOf(args),
  ];
  const sections = [
    wrapped(meta.description ?? "", width, "").join("\n"),
    `${heading("Usage:")} ${words.join(" ")}`,
    section(heading("Commands:"), subCommands, width),
    section(heading("Arguments:"), positionals, width),
    section(heading("Flags:"), flags, width),
    ...(subCommands.length > 0 ? [`${meta.name} COMMAND --help shows the flags of a command.`] : []),
  ];
  return `${sections.filter((text) => text !== "").join("\n\n")}\n`;
}

// --- internal ---

/** As wide as most tools write when they do not know. */
const PIPE_COLUMNS = 100;
const NARROWEST = 50;
/** Longer lines are hard to read. */
const WIDEST = 120;
/** Names longer than this get a line of their own. */
const NAME_COLUMNS = 26;

function entriesOf(args: ArgsDef, positional: boolean): HelpEntry[] {
  return Object.entries(args)
    .filter(([, definition]) => (definition.type === "positional") === positional)
    .map(([name, definition]) => {
      const hint =
        "valueHint" in definition && definition.valueHint ? definition.valueHint : name.toUpperCase();
      const byDefault = typeof definition.default === "string" ? ` (default ${definition.default})` : "";
      const shown = positional ? hint : definition.type === "boolean" ? `--${name}` : `--${name} ${hint}`;
      return { name: shown, description: `${definition.description ?? ""}${byDefault}` };
    });
}

function usageOf(args: ArgsDef): string[] {
  return Object.entries(args)
    .filter(([, definition]) => definition.type === "positional")
    .map(([name, definition]) => {
      const hint =
        "valueHint" in definition && definition.valueHint ? definition.valueHint : name.toUpperCase();
      return definition.required === false ? `[${hint}]` : hint;
    });
}

function section(heading: string, entries: readonly HelpEntry[], width: number): string {
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

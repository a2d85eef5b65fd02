// Everything that the program prints goes through this file, so that text from other parties cannot control the
// terminal. There are two exceptions: `cli/screen.ts`, which owns the terminal while it is open, and `quick.ts`, which
// must not load anything.

import { printable, printableJson } from "./printable.ts";
import { terminalColumns, USUAL_COLUMNS } from "./terminal-columns.ts";
import { wrappedLines } from "./wrapped-lines.ts";

/** Prints `text` to standard output, keeping line breaks, tabs and our colours; `done` is called with the result. */
export function print(text: string, done?: (error?: Error | null) => void): void {
  aboveProgress(() => process.stdout.write(printable(text), done));
}

/** Like `print`, but to standard error. */
export function printError(text: string): void {
  aboveProgress(() => process.stderr.write(printable(text)));
}

/**
 * Prints a message to standard output, after `first` (default: ""): wrapped at spaces on a terminal, otherwise on one
 * line.
 */
export function printMessage(text: string, first = ""): void {
  print(linesFor(process.stdout, text, first));
}

/**
 * Prints several messages at once: a program that reads only the first line, and then closes its end, does not end a
 * command that keeps running.
 */
export function printMessages(messages: readonly { readonly text: string; readonly first?: string }[]): void {
  print(messages.map(({ text, first = "" }) => linesFor(process.stdout, text, first)).join(""));
}

/** Like `printMessage`, but to standard error. */
export function printErrorMessage(text: string, first = ""): void {
  printError(linesFor(process.stderr, text, first));
}

/** Prints `value` as JSON. Unprintable characters are escaped, so a parser gets the same value. */
export function printJson(value: unknown, indent?: number): void {
  printJsonText(`${JSON.stringify(value, undefined, indent)}\n`);
}

/** Prints a text that is already JSON, or JSON lines. */
export function printJsonText(text: string): void {
  process.stdout.write(printableJson(text));
}

/**
 * Shows `what` on the terminal's current line (standard error) until the returned function erases it. Text that is
 * printed meanwhile appears above it.
 */
export function showMeanwhile(what: string): () => void {
  const columns = terminalColumns(process.stderr, process.env) ?? USUAL_COLUMNS;
  // A line that wraps cannot be erased. A wide character may take one more column.
  const line = Bun.sliceAnsi(printable(what), 0, columns - 2, "...");
  progress = line;
  draw(line);
  return () => {
    progress = undefined;
    erase(line);
  };
}

// --- internal ---

function linesFor(output: NodeJS.WriteStream, text: string, first: string): string {
  const columns = terminalColumns(output, process.env);
  if (columns === undefined) return `${first}${text}\n`;
  return wrappedLines(text, { columns, first })
    .map((line) => `${line}\n`)
    .join("");
}

/** The line of `showMeanwhile`; undefined if there is none. */
let progress: string | undefined;

/** Leaves the cursor at the beginning: a program that writes to the same terminal, such as Codex, overwrites the line. */
function draw(line: string): void {
  process.stderr.write(`${line}\r`);
}

function erase(line: string): void {
  process.stderr.write(`\r${" ".repeat(Bun.stringWidth(line))}\r`);
}

/** Writes with `write`, and moves the line of `showMeanwhile` below the text. */
function aboveProgress(write: () => void): void {
  const line = progress;
  if (line === undefined) return write();
  erase(line);
  write();
  draw(line);
}

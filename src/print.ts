// Where everything the program prints goes through: what others said in it cannot steer the terminal. Only `cli/screen.ts`,
// which owns the terminal while it is open, and `quick.ts`, which must load nothing, write by themselves.

import { printable, printableJson } from "./printable.ts";

/** Prints `text` to standard output, with line breaks, tabs and our colours as they are; `done` hears how it went. */
export function print(text: string, done?: (error?: Error | null) => void): void {
  process.stdout.write(printable(text), done);
}

/** As `print`, to standard error. */
export function printError(text: string): void {
  process.stderr.write(printable(text));
}

/** Prints `value` as JSON, with everything that is not printable escaped: a reader gets the same value. */
export function printJson(value: unknown, indent?: number): void {
  printJsonText(`${JSON.stringify(value, undefined, indent)}\n`);
}

/** Prints a text that is JSON already, or lines of it. */
export function printJsonText(text: string): void {
  process.stdout.write(printableJson(text));
}

/** Shows `what` on the line of the cursor in the terminal at standard error, until the returned function erases it. */
export function showMeanwhile(what: string): () => void {
  const line = printable(what);
  process.stderr.write(line);
  return () => void process.stderr.write(`\r${" ".repeat(Bun.stringWidth(line))}\r`);
}

// Reads secrets from standard input, one per line. On a terminal it prints a prompt, and does not show the typed text.

import { printError } from "../../print.ts";
import { usage } from "../flags.ts";

/** The lines of standard input. */
export interface SecretLines {
  /**
   * The next line, or "" after the end of the input. `prompt` appears on a terminal. Throws `usage` for a long line.
   */
  next(prompt: string): Promise<string>;
  /** Resolves at the end of the input. */
  readonly ended: Promise<void>;
  /** Stops reading and restores the terminal. */
  close(): void;
}

/** Starts reading. */
export function openSecretLines(): SecretLines {
  const { stdin } = process;
  const isTerminal = stdin.isTTY === true;
  const end = Promise.withResolvers<void>();
  const decoder = new TextDecoder();
  const lines: string[] = [];
  let open = "";
  /** The previous character: a line end of two characters may arrive in two pieces. */
  let before = "";
  let isEnded = false;
  let isClosed = false;
  let wake = () => {};
  const finish = (): void => {
    if (open !== "") lines.push(open);
    open = "";
    isEnded = true;
    end.resolve();
    wake();
  };
  const take = (character: string): void => {
    const isSecondHalf = character === "\n" && before === "\r";
    before = character;
    if (isSecondHalf) return;
    if (character === "\n" || character === "\r") lines.push(open);
    if (character === "\n" || character === "\r" || (isTerminal && character === CLEAR)) open = "";
    else if (isTerminal && character === INTERRUPT) process.kill(process.pid, "SIGINT");
    else if (isTerminal && character === END) finish();
    else if (isTerminal && ERASE.has(character)) open = open.slice(0, -1);
    else open += character;
  };
  const data = (chunk: Buffer): void => {
    for (const character of decoder.decode(chunk, { stream: true })) take(character);
    wake();
  };
  if (isTerminal) stdin.setRawMode(true);
  stdin.on("data", data);
  stdin.on("end", finish);
  stdin.on("error", finish);
  return {
    next: async (prompt) => {
      if (isTerminal) printError(prompt);
      while (lines.length === 0 && !isEnded) {
        if (open.length > LONGEST) break;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (isTerminal) printError("\n");
      const line = lines.shift() ?? open;
      if (line.length > LONGEST) throw usage("the line on standard input is too long");
      return line;
    },
    ended: end.promise,
    close: () => {
      if (isClosed) return;
      isClosed = true;
      if (isTerminal) stdin.setRawMode(false);
      stdin.off("data", data);
      stdin.pause();
    },
  };
}

// --- internal ---

const LONGEST = 4_096;
// The characters that keys send while the terminal is in raw mode.
const INTERRUPT = "\u0003";
const END = "\u0004";
const CLEAR = "\u0015";
const ERASE: ReadonlySet<string> = new Set(["\u007f", "\b"]);

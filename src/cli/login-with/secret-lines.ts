// Secrets from standard input, a line each: from a pipe as they come, from a terminal with a question and without
// showing what is typed.

import { printError } from "../../print.ts";
import { usage } from "../flags.ts";

export interface SecretLines {
  /** The next line; `question` is asked on a terminal. "" when the input has ended. Throws `usage` for what is too long. */
  next(question: string): Promise<string>;
  /** Resolves when the input has ended. */
  readonly ended: Promise<void>;
  close(): void;
}

/** Reads from now on. */
export function openSecretLines(): SecretLines {
  const { stdin } = process;
  const isTerminal = stdin.isTTY === true;
  const end = Promise.withResolvers<void>();
  const decoder = new TextDecoder();
  const lines: string[] = [];
  let open = "";
  /** A line end of two characters is one, and may come in two pieces. */
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
    next: async (question) => {
      if (isTerminal) printError(question);
      while (lines.length === 0 && !isEnded) {
        if (open.length > LONGEST) break;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (isTerminal) printError("\n");
      const line = lines.shift() ?? open;
      if (line.length > LONGEST) throw usage("login-with: standard input holds more than a password");
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
// What keys send while the terminal leaves it to us to understand them.
const INTERRUPT = "\u0003";
const END = "\u0004";
const CLEAR = "\u0015";
const ERASE: ReadonlySet<string> = new Set(["\u007f", "\b"]);

// Reads lines that the user types. The terminal itself edits a line, so the keys are the same as everywhere, and programs
// that are started between two questions find the terminal as they expect it.

import { orAborted } from "../../login/or-aborted.ts";
import { print } from "../../print.ts";

/** The lines of standard input. */
export interface LineInput extends Disposable {
  /**
   * Prints `prompt` and resolves to the next line, trimmed; undefined at the end of the input. Throws the reason of
   * `signal` when it is aborted. Lines that were typed early are kept for the next questions.
   */
  ask(prompt: string, signal: AbortSignal): Promise<string | undefined>;
}

/** Standard input is read only while a question waits. */
export function openLineInput(): LineInput {
  const { stdin } = process;
  const decoder = new TextDecoder();
  const lines: string[] = [];
  let open = "";
  let isEnded = false;
  let wake = () => {};
  const read = (chunk: Buffer): void => {
    const [first = "", ...more] = decoder.decode(chunk, { stream: true }).split("\n");
    const all = [open + first, ...more];
    open = all.pop() ?? "";
    lines.push(...all);
    wake();
  };
  const end = (): void => {
    isEnded = true;
    wake();
  };
  stdin.on("data", read).on("end", end).on("error", end).pause();
  const next = async (): Promise<string | undefined> => {
    while (lines.length === 0 && !isEnded)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    return lines.shift()?.trim();
  };
  return {
    ask: async (prompt, signal) => {
      signal.throwIfAborted();
      const early = lines.shift();
      // The terminal has shown an early line before its prompt.
      print(early === undefined ? prompt : `${prompt}${early}\n`);
      if (early !== undefined) return early.trim();
      stdin.resume();
      let line: string | undefined;
      try {
        line = await orAborted(next(), signal);
        return line;
      } finally {
        // Programs that are started next read the same terminal.
        stdin.pause();
        // Ctrl-C and Ctrl-D leave the cursor behind the prompt.
        if (line === undefined) print("\n");
      }
    },
    [Symbol.dispose]: () => void stdin.off("data", read).off("end", end).off("error", end).pause(),
  };
}

// Messages about the steps of a longer job, each after a mark: a coloured symbol on a terminal, elsewhere a word.

import { createConsola } from "consola";
import { oneLine } from "../../printable.ts";
import { terminalColumns } from "../../terminal-columns.ts";
import { wrappedLines } from "../../wrapped-lines.ts";

export interface MarkedMessages {
  /** A step has started. */
  start(text: string): void;
  info(text: string): void;
  success(text: string): void;
}

/** Prints the messages to `output`, wrapped at spaces if it is a terminal. `quiet`: prints none of them. */
export function markedMessages(output: NodeJS.WriteStream, quiet = false): MarkedMessages {
  // Without a level, consola would read one from the environment, and TEST=1 would silence it.
  const consola = createConsola({
    level: quiet ? 0 : 3,
    stdout: output,
    stderr: output,
    formatOptions: { date: false },
  });
  const shown = (text: string): string => {
    const columns = terminalColumns(output, process.env);
    const line = oneLine(text);
    return columns === undefined ? line : wrappedLines(line, { columns, first: MARK }).join("\n").trimStart();
  };
  return {
    start: (text) => consola.start(shown(text)),
    info: (text) => consola.info(shown(text)),
    success: (text) => consola.success(shown(text)),
  };
}

// --- internal ---

/** As wide as a mark and the space after it. */
const MARK = "  ";

// Real shells, in which lines are typed and completed.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

const MAIN = join(import.meta.dir, "..", "..", "src", "main.ts");

/** True when `program` is there; says so when it is not, for then `what` is not tested. */
export function isThere(program: string, what: string): boolean {
  if (Bun.which(program) !== null) return true;
  console.log(`skipped: ${what} (there is no ${program})`);
  return false;
}

/** Puts a `codexlb` that runs from the sources into `directory`, for a PATH. */
export function putOnPath(directory: string): void {
  writeFileSync(join(directory, "codexlb"), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`, {
    mode: 0o755,
  });
}

/** Comes behind what a typed line printed. */
const END = "\u001e";
const PROMPT = "@@ ";

/**
 * Types `lines` into the shell `argv`, each behind a prompt and with a return at its end, and tells with which words
 * each of them called codexlb, which is not run. `setUp` is in the shell's language.
 */
export async function typed(
  argv: readonly string[],
  {
    setUp,
    lines,
    cwd,
    env,
  }: { setUp: string; lines: readonly string[]; cwd: string; env: Record<string, string> },
): Promise<string[][]> {
  const file = join(cwd, "set-up");
  // The scripts ask the program on the PATH, not this function.
  const codexlb = `codexlb() { printf '{%s}' "$@"; printf '\\036\\n'; }`;
  writeFileSync(file, `${setUp}\n${codexlb}\nPS1='${PROMPT}'\nprintf '\\036\\n'\n`);
  const decoder = new TextDecoder();
  let text = "";
  let look: () => void = () => undefined;
  const terminal = new Bun.Terminal({
    cols: 200,
    rows: 50,
    data: (_terminal, data) => {
      text += decoder.decode(data, { stream: true });
      look();
    },
  });
  const child = Bun.spawn([...argv], {
    cwd,
    env: { PATH: process.env.PATH ?? "", HOME: cwd, TERM: "xterm-256color", ...env },
    terminal,
  });
  /** What was printed until the next prompt. */
  const run = async (line: string): Promise<string> => {
    const prompted = Promise.withResolvers<string>();
    text = "";
    look = () => {
      const [shown = "", behind] = text.split(END);
      if (behind?.includes(PROMPT)) prompted.resolve(shown);
    };
    terminal.write(`${line}\r`);
    return prompted.promise;
  };
  try {
    await run(`source '${file}'`);
    const called: string[][] = [];
    for (const line of lines) {
      const shown = await run(line);
      const last = /(?:\{[^}]*\})*$/.exec(shown)?.[0] ?? "";
      called.push([...last.matchAll(/\{([^}]*)\}/g)].map(([, word = ""]) => word));
    }
    return called;
  } finally {
    child.kill("SIGKILL");
    await child.exited;
    terminal.close();
  }
}

// Types lines into real shells and reads what the shells complete and run.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

const MAIN = join(import.meta.dir, "..", "..", "src", "main.ts");

/** True if `program` is on the PATH. Otherwise prints that the tests of `what` are skipped. */
export function isThere(program: string, what: string): boolean {
  if (Bun.which(program) !== null) return true;
  console.log(`skipped: ${what} (${program} is not installed)`);
  return false;
}

/** Creates a `codexlb` in `directory` that runs the sources, for use on a PATH. */
export function putOnPath(directory: string): void {
  writeFileSync(join(directory, "codexlb"), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`, {
    mode: 0o755,
  });
}

/** Marks the end of the output of a typed line. */
const END = "\u001e";
const PROMPT = "@@ ";

/**
 * Types `lines` into the shell `argv`, each after a prompt and followed by Enter. Returns the arguments with which each
 * line called codexlb; a shell function records them in place of the program. `setUp`: commands in the shell's language.
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
  // The completion scripts run the program on the PATH, not this function.
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
  /** Types `line`, and returns what the shell printed up to its next prompt. */
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

// Runs the command line from the sources or as the executable, with pipes or a terminal as its output.

import { join } from "node:path";

const SOURCES = [process.execPath, join(import.meta.dir, "..", "..", "src", "main.ts")];

export interface CliOptions {
  readonly cwd: string;
  readonly env?: Record<string, string>;
  /** The standard input; it is not used on a terminal. Default: none. */
  readonly stdin?: string;
  /** The number of columns of the terminal. Default: no terminal, only pipes. */
  readonly terminal?: number;
  /** Run the executable in CODEXLB_TEST_BINARY, if it is set, instead of the sources. `make` sets it. */
  readonly compiled?: boolean;
}

export interface CliRan {
  readonly code: number;
  /** On a terminal: everything that was written to it, including stderr. */
  readonly out: string;
  readonly err: string;
}

export async function runCli(args: readonly string[], options: CliOptions): Promise<CliRan> {
  const env = { PATH: process.env.PATH ?? "", HOME: join(options.cwd, "home"), ...options.env };
  const { CODEXLB_TEST_BINARY: binary } = process.env;
  const program = options.compiled && binary !== undefined ? [binary] : SOURCES;
  const argv = [...program, ...args];
  if (options.terminal !== undefined) return onTerminal(argv, env, options.cwd, options.terminal);
  const child = Bun.spawn(argv, {
    cwd: options.cwd,
    env,
    stdin: options.stdin === undefined ? "ignore" : Buffer.from(options.stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, out, err };
}

// --- internal ---

/** Encloses the exit code, which the shell prints after the output. Reading both marks means reading all output. */
const END = "\u001e";

async function onTerminal(
  argv: string[],
  env: Record<string, string>,
  cwd: string,
  cols: number,
): Promise<CliRan> {
  const ended = Promise.withResolvers<void>();
  const decoder = new TextDecoder();
  let text = "";
  const terminal = new Bun.Terminal({
    cols,
    rows: 50,
    data: (_terminal, data) => {
      text += decoder.decode(data, { stream: true });
      if (text.split(END).length > 2) ended.resolve();
    },
  });
  const child = Bun.spawn(["sh", "-c", `"$@"; printf '\\036%d\\036' $?`, "sh", ...argv], {
    cwd,
    env: { ...env, TERM: "xterm-256color" },
    terminal,
  });
  await ended.promise;
  await child.exited;
  terminal.close();
  const [out = "", code = ""] = text.split(END);
  return { code: Number(code), out: out.replaceAll("\r\n", "\n"), err: "" };
}

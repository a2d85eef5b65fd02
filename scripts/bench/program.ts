// Runs the programs of the benchmark: proxies, the backend and loads.

import { join } from "node:path";

export interface Program extends AsyncDisposable {
  readonly pid: number;
  /** The next line of output. Rejects with the program's stderr if the program has exited. */
  line(): Promise<string>;
  /** Writes a line to the program's input. */
  write(text: string): void;
  /** Stops the program, if it still runs, and waits until it has exited. */
  stop(): Promise<void>;
}

interface ProgramOptions {
  /** Additional variables. Without them the environment contains only PATH. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Starts `argv`. Throws if the program does not exist. */
export function startProgram(argv: readonly string[], { env = {}, cwd }: ProgramOptions = {}): Program {
  const child = Bun.spawn([...argv], {
    env: { PATH: process.env.PATH ?? "", ...env },
    ...(cwd === undefined ? {} : { cwd }),
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const stderr = child.stderr.text();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let out = "";
  const stop = async (): Promise<void> => {
    if (child.exitCode === null) child.kill("SIGTERM");
    await child.exited;
  };
  return {
    pid: child.pid,
    line: async () => {
      for (;;) {
        const end = out.indexOf("\n");
        if (end >= 0) {
          const line = out.slice(0, end);
          out = out.slice(end + 1);
          return line;
        }
        const { done, value } = await reader.read();
        if (done) throw new Error(`${argv.slice(0, 3).join(" ")} exited: ${out}${await stderr}`);
        out += value;
      }
    },
    write: (text) => {
      child.stdin.write(`${text}\n`);
      void child.stdin.flush();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The command line that runs a file of `scripts/bench` in this Bun. */
export function script(name: string, ...args: string[]): string[] {
  return [process.execPath, join(import.meta.dir, name), ...args];
}

// Programs that the benchmark starts: proxies, the backend, loads.

import { join } from "node:path";

export interface Program extends AsyncDisposable {
  readonly pid: number;
  /** The next line of its output. Rejects with its stderr output if it has ended. */
  line(): Promise<string>;
  /** Writes a line to its input. */
  write(text: string): void;
  /** Ends it, if it is still running, and waits for its end. */
  stop(): Promise<void>;
}

interface ProgramOptions {
  /** Added to an environment that contains PATH only. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Starts `argv`. Throws when the program does not exist. */
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
        if (done) throw new Error(`${argv.slice(0, 3).join(" ")} ended: ${out}${await stderr}`);
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

/** The argv that runs a file of `scripts/bench` in this Bun. */
export function script(name: string, ...args: string[]): string[] {
  return [process.execPath, join(import.meta.dir, name), ...args];
}

// Runs the executable as a user does: as a copy outside the repository, with its own HOME.

import { chmodSync, copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { tempDirectory } from "./temp.ts";
import { testBinary } from "./test-binary.ts";

export interface Executable extends Disposable {
  readonly path: string;
  /** The test's directory. Contains `home` (HOME) and all files that the executable creates. */
  readonly directory: string;
  readonly root: string;
  env(more?: Record<string, string>): Record<string, string>;
  /** Runs the executable and waits until it exits. */
  run(args: readonly string[], more?: Record<string, string>): Promise<Ran>;
  /**
   * Starts the executable and resolves when it has printed its first line. `openFiles`: its limits on open files;
   * default: the limits of the tests.
   */
  start(
    args: readonly string[],
    more?: Record<string, string>,
    openFiles?: OpenFiles,
  ): Promise<RunningProcess>;
}

export interface OpenFiles {
  readonly soft: number;
  readonly hard: number;
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface RunningProcess extends AsyncDisposable {
  readonly pid: number;
  readonly firstLine: string;
  stop(): Promise<Ran>;
}

/** Copies `testBinary()` into a directory of its own. */
export function executable(): Executable {
  const source = testBinary();
  const temp = tempDirectory();
  const path = join(temp.path, "codexlb");
  copyFileSync(source, path);
  chmodSync(path, 0o755);
  mkdirSync(join(temp.path, "home"));
  const root = join(temp.path, "root");
  const env = (more: Record<string, string> = {}) => ({
    PATH: process.env.PATH ?? "",
    HOME: join(temp.path, "home"),
    CODEXLB_ROOT: root,
    ...more,
  });
  const spawn = (args: readonly string[], more?: Record<string, string>, openFiles?: OpenFiles) =>
    Bun.spawn([...(openFiles === undefined ? [] : limited(openFiles)), path, ...args], {
      cwd: temp.path,
      env: env(more),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  return {
    path,
    directory: temp.path,
    root,
    env,
    run: async (args, more) => {
      const child = spawn(args, more);
      const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
      return { code, out, err };
    },
    start: async (args, more, openFiles) => {
      const child = spawn(args, more, openFiles);
      const stderr = child.stderr.text();
      const reader = child.stdout.getReader();
      const decoder = new TextDecoder();
      let out = "";
      while (!out.includes("\n")) {
        const { done, value } = await reader.read();
        if (done) throw new Error(`codexlb ${args.join(" ")} exited: ${await stderr}`);
        out += decoder.decode(value, { stream: true });
      }
      const stop = async (): Promise<Ran> => {
        child.kill("SIGTERM");
        const code = await child.exited;
        return { code, out, err: await stderr };
      };
      return {
        pid: child.pid,
        firstLine: out.split("\n")[0] ?? "",
        stop,
        [Symbol.asyncDispose]: async () => {
          if (child.exitCode === null) await stop();
        },
      };
    },
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}

// --- internal ---

function limited({ soft, hard }: OpenFiles): string[] {
  return ["sh", "-c", `ulimit -Sn ${soft} && ulimit -Hn ${hard} && exec "$@"`, "sh"];
}

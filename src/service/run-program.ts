// Runs the service manager's own programs.

import { childEnvironment } from "../codex/run.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError, systemCodeOf, systemProblem } from "../errors.ts";
import { print, printError } from "../print.ts";
import { shortLine } from "../printable.ts";

export interface ProgramResult {
  /** The exit code; `NOT_FOUND` if there is no such program. */
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** When to stop waiting for a program. */
export interface RunLimits {
  /** Default: no limit. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a program and waits until it exits. Does not throw if the program fails or does not exist. A program with
 * `limits` gets a process group of its own, and that group is killed when the time is up or `signal` is aborted.
 */
export type RunProgram = (argv: readonly string[], limits?: RunLimits) => Promise<ProgramResult>;

/** The exit code of a shell for a program that does not exist. */
export const NOT_FOUND = 127;
/** The exit code of `timeout` for a program that took too long. */
const STOPPED = 124;

/** Runs programs with the environment `env`, in English, with nothing on standard input. */
export function programRunner(env: Deps["env"]): RunProgram {
  return async (argv, limits) => {
    try {
      const child = Bun.spawn([...argv], {
        env: { ...childEnvironment(env), LC_ALL: "C" },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
        detached: limits !== undefined,
      });
      const ran = Promise.all([child.stdout.text(), child.stderr.text(), child.exited]).then(
        ([out, err, code]) => ({ code, out, err }),
      );
      return await (limits === undefined ? ran : within(limits, child.pid, ran));
    } catch (error) {
      if (systemCodeOf(error) === "ENOENT") return { code: NOT_FOUND, out: "", err: "command not found" };
      return { code: 126, out: "", err: systemProblem(error) };
    }
  };
}

/**
 * Runs a program and prints its output, made safe for the terminal. Throws `service_failed` with `next` if the program
 * fails or does not exist.
 */
export async function printOutputOf(argv: readonly string[], env: Deps["env"], next: string): Promise<void> {
  let child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  try {
    child = Bun.spawn([...argv], {
      env: childEnvironment(env),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  } catch (error) {
    throw stepFailed(argv, { code: NOT_FOUND, out: "", err: systemProblem(error) }, next);
  }
  const stderr = child.stderr.text();
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) print(decoder.decode(chunk, { stream: true }));
  const [code, err] = await Promise.all([child.exited, stderr]);
  if (code !== 0) throw stepFailed(argv, { code, out: "", err }, next);
  printError(err);
}

/** Why a program failed, on one line: the first line that it printed, or its exit code if it printed nothing. */
export function whyFailed({ code, out, err }: ProgramResult): string {
  const line = [err, out].flatMap((text) => text.trim().split("\n")).find((text) => text !== "");
  return line === undefined ? `exit code ${code}` : shortLine(line);
}

/** The error for a command of the service manager that failed. */
export function stepFailed(argv: readonly string[], ran: ProgramResult, next: string): CodexlbError {
  return new CodexlbError("service_failed", `${argv.join(" ")}: ${whyFailed(ran)}`, { next });
}

// --- internal ---

/**
 * The result `ran` of the process group `group`. If a limit comes first, kills the group and returns without waiting
 * for its output, which another process may keep open.
 */
async function within(
  { timeoutMs, signal }: RunLimits,
  group: number,
  ran: Promise<ProgramResult>,
): Promise<ProgramResult> {
  const stopped = Promise.withResolvers<ProgramResult>();
  const stop = (err: string) => {
    try {
      process.kill(-group, "SIGKILL");
    } catch {
      // The group has just exited.
    }
    stopped.resolve({ code: STOPPED, out: "", err });
  };
  const interrupt = () => stop("interrupted");
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => stop(`no result within ${timeoutMs / 1000} s`), timeoutMs);
  if (signal?.aborted) interrupt();
  signal?.addEventListener("abort", interrupt);
  try {
    return await Promise.race([ran, stopped.promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", interrupt);
  }
}

// Runs Codex with full control of the terminal, and reports how it ended.

import { existsSync } from "node:fs";
import { constants } from "node:os";
import { isatty } from "node:tty";
import { CodexlbError, systemCodeOf } from "../errors.ts";
import type { CodexCommand } from "./command-line.ts";
import { noProxyWith } from "./direct-hosts.ts";
import { mayBeKey } from "./foreground.ts";
import { shellStateOf } from "./login-shell.ts";
import { startOrphanWatch } from "./orphan-watch.ts";
import { STATE_DESCRIPTOR } from "./shell-state.ts";

export interface RunOptions {
  readonly command: CodexCommand;
  /** The login shell whose profile sets the environment of Codex; undefined: use `env`. */
  readonly shell: string | undefined;
  /** The command line that starts this program. */
  readonly self: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

export type Ended =
  | { readonly kind: "exit"; readonly code: number }
  | { readonly kind: "signal"; readonly signal: NodeJS.Signals };

/** The next step when there is no Codex. */
export const INSTALL_CODEX =
  "install Codex with `npm install -g @openai/codex`, or name it with --codex-bin or CODEXLB_CODEX_BIN";

/** Variables that control Bun, and codexlb's secrets. Programs that codexlb starts must not get them. */
const OWN_VARIABLES: ReadonlySet<string> = new Set([
  "BUN_OPTIONS",
  "BUN_BE_BUN",
  "BUN_CONFIG_MAX_HTTP_REQUESTS",
  "CODEXLB_ADMIN_TOKEN",
  "CODEXLB_CLIENT_KEY",
  "CODEXLB_CLUSTER_KEY",
  "CODEXLB_CLUSTER_URL",
]);

/**
 * Resolves when Codex has ended, or when a signal has ended the login shell before that. Throws `codex_not_found` if
 * there is no Codex; with a login shell it resolves to the shell's exit code instead (126, 127).
 */
export async function runCodex({ command, shell, self, env }: RunOptions): Promise<Ended> {
  const { binary, args, directHosts } = command;
  const own = { ...childEnvironment(env), ...command.env };
  if (shell === undefined) {
    const direct = { ...own, ...noProxyWith(env, directHosts) };
    return endOf(await withTerminal(() => spawn([binary, ...args], direct), FOR_CODEX));
  }
  const { state, ended } = await shellStateOf(shell, self, async (argv, descriptor) =>
    endOf(await withTerminal(() => spawnShell(argv, own, descriptor), FOR_CODEX)),
  );
  if (state === undefined) {
    if (ended.kind === "signal") return ended;
    throw new CodexlbError(
      "codex_not_found",
      `the login shell ${shell} exited with code ${ended.code} before Codex could start`,
      { next: "fix its profile, or set run.inherit_shell = false in config.toml" },
    );
  }
  // A profile may have removed the directory of Codex from the PATH.
  const found =
    Bun.which(binary, { PATH: state.env.PATH ?? "" }) ?? Bun.which(binary, { PATH: env.PATH ?? "" });
  if (found === null) return { kind: "exit", code: existsSync(binary) ? NOT_EXECUTABLE : NOT_FOUND };
  // Our variables override those of the profile, except for an API key, which belongs to the user.
  const { OPENAI_API_KEY: _, ...settings } = command.env;
  const final = { ...childEnvironment(state.env), ...settings, ...noProxyWith(state.env, directHosts) };
  process.umask(state.umask);
  return endOf(await withTerminal(() => spawn([found, ...args], final, state.cwd), FOR_CODEX));
}

/**
 * Runs `argv` with the terminal. Resolves to its exit code, with 128 and the number for a signal. Forwards every
 * signal. Throws `codex_not_found`.
 */
export async function onTerminal(argv: string[], env: Record<string, string | undefined>): Promise<number> {
  const { exitCode, signalCode } = await withTerminal(() => spawn(argv, env), SIGNALS);
  return exitCode ?? 128 + (signalCode === null ? 0 : constants.signals[signalCode as NodeJS.Signals]);
}

/** `env` without the variables for codexlb and Bun only. */
export function childEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !OWN_VARIABLES.has(name)));
}

// --- internal ---

/** Exit codes of a shell that could not run the program (POSIX 2.8.2). */
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

type Child = Bun.Subprocess<"inherit" | "ignore", "inherit" | number, "inherit">;

function endOf({ exitCode, signalCode }: Child): Ended {
  return signalCode === null
    ? { kind: "exit", code: exitCode ?? 1 }
    : { kind: "signal", signal: signalCode as NodeJS.Signals };
}

/**
 * Resolves when the program that `start` starts has exited. Keys typed in the terminal reach it directly, because it is
 * in the same process group; this process ignores them. Signals in `forwarded` are passed on. If this process is
 * killed, the program is ended too.
 */
async function withTerminal(start: () => Child, forwarded: readonly NodeJS.Signals[]): Promise<Child> {
  let child: Child | undefined;
  // Installed before the program starts, because a signal may arrive as soon as it has.
  const handlers = SIGNALS.map((signal) => ({
    signal,
    handle: () => {
      // The signal of a key reaches the program directly. A signal from another program reaches only this process.
      const isKey = OF_KEYS.has(signal) && mayBeKey();
      if (!forwarded.includes(signal) || isKey) return;
      child?.kill(signal);
      // A stopped program handles the signal only after SIGCONT. Shells do the same for `kill %1`.
      if (ENDING.has(signal)) child?.kill("SIGCONT");
    },
  }));
  for (const { signal, handle } of handlers) process.on(signal, handle);
  const watch = startOrphanWatch();
  try {
    child = start();
    watch.over(child.pid);
    await child.exited;
    return child;
  } finally {
    watch.stop();
    for (const { signal, handle } of handlers) process.off(signal, handle);
  }
}

const SIGNALS = ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const;
const FOR_CODEX: readonly NodeJS.Signals[] = SIGNALS;
const OF_KEYS: ReadonlySet<NodeJS.Signals> = new Set(["SIGINT", "SIGQUIT"]);
const ENDING: ReadonlySet<NodeJS.Signals> = new Set(["SIGTERM", "SIGHUP"]);

function spawn(argv: string[], env: Record<string, string | undefined>, cwd?: string): Child {
  return startOrThrow(argv, INSTALL_CODEX, () =>
    Bun.spawn(argv, {
      env,
      ...(cwd === undefined ? {} : { cwd }),
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
    }),
  );
}

/**
 * A profile's output is for people. It must not reach a program that reads the output of Codex. Input that is not typed
 * is for Codex, so the profile must not read it.
 */
function spawnShell(argv: string[], env: Record<string, string | undefined>, descriptor: number): Child {
  const next = "set SHELL to a working shell, or set run.inherit_shell = false in config.toml";
  const unused = Array<"ignore">(STATE_DESCRIPTOR - STDERR - 1).fill("ignore");
  const input = isatty(STDIN) ? "inherit" : "ignore";
  const output = isatty(STDOUT) ? "inherit" : STDERR;
  return startOrThrow(argv, next, () =>
    Bun.spawn(argv, {
      env,
      stdio: [input, output, "inherit", ...unused, descriptor],
    }),
  );
}

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;

/** Throws `codex_not_found` with `next` if the program cannot be started. */
function startOrThrow(argv: readonly string[], next: string, start: () => Child): Child {
  try {
    return start();
  } catch (error) {
    const code = systemCodeOf(error) ?? "";
    const hasFile = code === "ENOENT" && Bun.which(argv[0] ?? "") !== null;
    const why = hasFile ? "the interpreter in its first line does not exist" : NOT_STARTED[code];
    if (why === undefined) throw error;
    throw new CodexlbError("codex_not_found", `starting ${argv[0]}: ${why}`, { next, cause: error });
  }
}

const NOT_STARTED: Readonly<Record<string, string>> = {
  ENOENT: "no such program",
  EACCES: "not an executable file, or permission denied",
  ENOEXEC: "not an executable for this machine",
};

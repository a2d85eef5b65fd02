// Runs Codex with the terminal handed over whole, and reports how it ended.

import { constants } from "node:os";
import { CodexlbError, systemCodeOf } from "../errors.ts";
import type { CodexCommand } from "./command-line.ts";
import { noProxyWith } from "./direct-hosts.ts";
import { mayBeKey } from "./foreground.ts";
import { throughLoginShell } from "./login-shell.ts";

export interface RunOptions {
  readonly command: CodexCommand;
  /** Run through this shell as a login shell; undefined: directly. */
  readonly shell: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export type Ended =
  | { readonly kind: "exit"; readonly code: number }
  | { readonly kind: "signal"; readonly signal: NodeJS.Signals };

/** The next step when there is no Codex. */
export const INSTALL_CODEX =
  "install Codex with `npm install -g @openai/codex`, or name it with --codex-bin or CODEXLB_CODEX_BIN";

/** Variables that steer Bun itself, and secrets of ours: they must not reach what we start. */
const OWN_VARIABLES: ReadonlySet<string> = new Set([
  "BUN_OPTIONS",
  "BUN_BE_BUN",
  "BUN_CONFIG_MAX_HTTP_REQUESTS",
  "CODEXLB_ADMIN_TOKEN",
  "CODEXLB_CLIENT_KEY",
]);

/** Resolves when Codex has ended. Throws `codex_not_found` when there is nothing to run. */
export async function runCodex({ command, shell, env }: RunOptions): Promise<Ended> {
  const found = Bun.which(command.binary, { PATH: env.PATH ?? "" }) ?? undefined;
  const argv =
    shell === undefined ? [command.binary, ...command.args] : throughLoginShell(shell, command, found);
  const noProxy = noProxyWith(env, command.directHosts);
  const child = await withTerminal(argv, { ...childEnvironment(env), ...command.env, ...noProxy }, FOR_CODEX);
  return child.signalCode === null
    ? { kind: "exit", code: child.exitCode ?? 1 }
    : { kind: "signal", signal: child.signalCode as NodeJS.Signals };
}

/**
 * Runs `argv` with the terminal; resolves to its exit code, as a shell would tell it. Every signal ends it: there is
 * nothing in it that could make use of one. Throws `codex_not_found`.
 */
export async function onTerminal(argv: string[], env: Record<string, string | undefined>): Promise<number> {
  const { exitCode, signalCode } = await withTerminal(argv, env, SIGNALS);
  return exitCode ?? 128 + (signalCode === null ? 0 : constants.signals[signalCode as NodeJS.Signals]);
}

/** `env` without what is meant for us alone. */
export function childEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !OWN_VARIABLES.has(name)));
}

// --- internal ---

/**
 * Resolves when it has ended. Keys typed in the terminal reach it by itself, being in the same group; we only must not
 * die of them. Signals in `forwarded` are passed on.
 */
async function withTerminal(
  argv: string[],
  env: Record<string, string | undefined>,
  forwarded: readonly NodeJS.Signals[],
) {
  let child: ReturnType<typeof spawn> | undefined;
  // Before it starts: whoever hears its first word may end us at once.
  const handlers = SIGNALS.map((signal) => ({
    signal,
    handle: () => {
      // A key reaches it by itself; what is sent to us alone, by a program, does not.
      const isKey = OF_KEYS.has(signal) && mayBeKey();
      if (!forwarded.includes(signal) || isKey) return;
      child?.kill(signal);
      // What is stopped hears of it only when it goes on; shells do the same for `kill %1`.
      if (ENDING.has(signal)) child?.kill("SIGCONT");
    },
  }));
  for (const { signal, handle } of handlers) process.on(signal, handle);
  try {
    child = spawn(argv, env);
    await child.exited;
    return child;
  } finally {
    for (const { signal, handle } of handlers) process.off(signal, handle);
  }
}

const SIGNALS = ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const;
const FOR_CODEX: readonly NodeJS.Signals[] = SIGNALS;
const OF_KEYS: ReadonlySet<NodeJS.Signals> = new Set(["SIGINT", "SIGQUIT"]);
const ENDING: ReadonlySet<NodeJS.Signals> = new Set(["SIGTERM", "SIGHUP"]);

function spawn(argv: string[], env: Record<string, string | undefined>) {
  try {
    return Bun.spawn(argv, { env, stdin: "inherit", stdout: "inherit", stderr: "inherit" });
  } catch (error) {
    const code = systemCodeOf(error) ?? "";
    const hasFile = code === "ENOENT" && Bun.which(argv[0] ?? "") !== null;
    const why = hasFile ? "the interpreter in its first line is not there" : NOT_STARTED[code];
    if (why === undefined) throw error;
    const isShell = argv[1] === "-lc";
    throw new CodexlbError("codex_not_found", `starting ${argv[0]}: ${why}`, {
      next: isShell
        ? "it is what SHELL names: correct that, or set run.inherit_shell = false in config.toml"
        : INSTALL_CODEX,
      cause: error,
    });
  }
}

const NOT_STARTED: Readonly<Record<string, string>> = {
  ENOENT: "there is no such program",
  EACCES: "it is not a program, or not one that you may run",
  ENOEXEC: "it is not a program for this machine",
};

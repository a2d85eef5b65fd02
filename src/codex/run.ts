// Runs Codex with the terminal handed over whole, and reports how it ended.

import { CodexlbError, systemCodeOf } from "../errors.ts";
import { type CodexCommand, shellScript } from "./command-line.ts";

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
  const argv = shell === undefined ? [command.binary, ...command.args] : [shell, "-lc", shellScript(command)];
  const child = await withTerminal(argv, { ...childEnvironment(env), ...command.env });
  return child.signalCode === null
    ? { kind: "exit", code: child.exitCode ?? 1 }
    : { kind: "signal", signal: child.signalCode as NodeJS.Signals };
}

/** Runs `argv` with the terminal; resolves to its exit code, as a shell would tell it. Throws `codex_not_found`. */
export async function onTerminal(argv: string[], env: Record<string, string | undefined>): Promise<number> {
  const child = await withTerminal(argv, env);
  return child.exitCode ?? 1;
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
 * die of them. Other signals are passed on.
 */
async function withTerminal(argv: string[], env: Record<string, string | undefined>) {
  const ignore = () => {};
  process.on("SIGINT", ignore);
  process.on("SIGQUIT", ignore);
  const child = spawn(argv, env);
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  process.on("SIGTERM", forward);
  process.on("SIGHUP", forward);
  try {
    await child.exited;
    return child;
  } finally {
    process.off("SIGINT", ignore);
    process.off("SIGQUIT", ignore);
    process.off("SIGTERM", forward);
    process.off("SIGHUP", forward);
  }
}

function spawn(argv: string[], env: Record<string, string | undefined>) {
  try {
    return Bun.spawn(argv, { env, stdin: "inherit", stdout: "inherit", stderr: "inherit" });
  } catch (error) {
    if (systemCodeOf(error) !== "ENOENT") throw error;
    throw new CodexlbError("codex_not_found", `starting ${argv[0]}: there is no such program`, {
      next: INSTALL_CODEX,
      cause: error,
    });
  }
}

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

/** Variables that steer Bun itself; they are meant for us and must not reach what we start. */
const OWN_VARIABLES: ReadonlySet<string> = new Set([
  "BUN_OPTIONS",
  "BUN_BE_BUN",
  "BUN_CONFIG_MAX_HTTP_REQUESTS",
]);

/** Resolves when Codex has ended. Throws `codex_not_found` when there is nothing to run. */
export async function runCodex({ command, shell, env }: RunOptions): Promise<Ended> {
  const argv = shell === undefined ? [command.binary, ...command.args] : [shell, "-lc", shellScript(command)];
  const inherited = Object.entries(env).filter(([name]) => !OWN_VARIABLES.has(name));
  // Keys typed in the terminal reach Codex by itself, being in the same group; we only must not die of them.
  const ignore = () => {};
  process.on("SIGINT", ignore);
  process.on("SIGQUIT", ignore);
  const child = spawn(argv, { ...Object.fromEntries(inherited), ...command.env });
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  process.on("SIGTERM", forward);
  process.on("SIGHUP", forward);
  try {
    const code = await child.exited;
    return child.signalCode === null
      ? { kind: "exit", code }
      : { kind: "signal", signal: child.signalCode as NodeJS.Signals };
  } finally {
    process.off("SIGINT", ignore);
    process.off("SIGQUIT", ignore);
    process.off("SIGTERM", forward);
    process.off("SIGHUP", forward);
  }
}

// --- internal ---

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

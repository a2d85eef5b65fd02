// What the steps of `codexlb init` share: the root, the user's flags, and the commands that do the work.

import { onTerminal } from "../../codex/run.ts";
import { CodexlbError } from "../../errors.ts";
import { print } from "../../print.ts";
import { quote } from "../../quote.ts";
import type { CommandContext } from "../context.ts";
import { selfCommand } from "../self.ts";
import { paintOf } from "../terminal/colours.ts";
import { wantsColour } from "../terminal/terminal.ts";
import type { Dialog } from "./dialog.ts";

/** What the steps work with. */
export interface SetUp {
  readonly context: CommandContext;
  readonly dialog: Dialog;
  /** The name or path of Codex. */
  readonly binary: string;
  /** `--root` as the user gave it, for the commands that the steps run and show. */
  readonly rootFlags: readonly string[];
  /** `--codex-bin` in the same way. */
  readonly codexFlags: readonly string[];
  /** The command line that continues the set-up, with all flags that the user gave: `codexlb init --yes`. */
  readonly again: string;
  /** Aborted by Ctrl-C, with the error to throw. */
  readonly signal: AbortSignal;
  /**
   * Shows the command line of a codexlb command and runs it on this terminal. Resolves to true if it succeeded. Throws
   * `interrupted`.
   */
  readonly codexlb: (words: readonly string[]) => Promise<boolean>;
}

/** The command line `words` as the user would type it. */
export function typedCommand(words: readonly string[]): string {
  return ["codexlb", ...words].map(quote).join(" ");
}

/** What an interruption leaves. */
export const FINISHED_STAYS = "everything that was finished stays";

/** The error if the work ended without a signal to this process. `why`: `the input ended`. `again`: see `SetUp`. */
export function stopped(why: string, again: string): CodexlbError {
  return new CodexlbError("interrupted", `${why}; ${FINISHED_STAYS}`, { next: `continue with: ${again}` });
}

/**
 * Returns the function that runs codexlb commands. `signal` is aborted with the error to throw. `again`: see `SetUp`.
 */
export function commandRunner(
  { deps }: Pick<CommandContext, "deps">,
  again: string,
  signal: AbortSignal,
): SetUp["codexlb"] {
  const { dim } = paintOf(wantsColour(deps.env));
  return async (words) => {
    // Written before the command prints anything.
    await new Promise<void>((written) => print(`${dim(`  $ ${typedCommand(words)}`)}\n`, () => written()));
    const code = await onTerminal([...selfCommand(), ...words], { ...deps.env });
    signal.throwIfAborted();
    if (code === INTERRUPTED) throw stopped("interrupted", again);
    return code === 0;
  };
}

// --- internal ---

/** The exit code of a command that Ctrl-C ended. */
const INTERRUPTED = 130;

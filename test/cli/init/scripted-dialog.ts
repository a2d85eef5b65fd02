// A dialog whose answers a test gives, and the parts that the steps of `codexlb init` need.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { CommandContext } from "../../../src/cli/context.ts";
import { createDialog, type Dialog } from "../../../src/cli/init/dialog.ts";
import type { SetUp } from "../../../src/cli/init/set-up.ts";
import type { StepState } from "../../../src/cli/init/step.ts";
import { styleOf } from "../../../src/cli/terminal/glyphs.ts";
import { systemDeps } from "../../../src/deps.ts";
import { layoutOf } from "../../../src/state/layout.ts";

export interface ScriptedDialog {
  readonly dialog: Dialog;
  /** Everything that was printed, with the prompts and answers. */
  text(): string;
  /** The prompts so far. */
  readonly prompts: string[];
}

/** A dialog with `answers`, one for each question. `preset`: nothing is asked, as with `--yes`. */
export function scriptedDialog(
  answers: readonly string[] | "preset" = [],
  columns = 200,
  utf8 = true,
): ScriptedDialog {
  const rest = answers === "preset" ? [] : [...answers];
  const prompts: string[] = [];
  let text = "";
  const dialog = createDialog({
    columns,
    style: styleOf({ colour: false, utf8 }),
    print: (more) => {
      text += more;
    },
    ask:
      answers === "preset"
        ? undefined
        : async (prompt) => {
            const answer = rest.shift();
            if (answer === undefined) throw new Error(`no answer to: ${prompt}`);
            prompts.push(prompt.trim());
            text += `${prompt}${answer}\n`;
            return answer;
          },
  });
  return { dialog, text: () => text, prompts };
}

/** A machine in `directory`, with HOME in it, on which no command was run. */
export interface Machine {
  readonly setUp: SetUp;
  readonly talk: ScriptedDialog;
  readonly home: string;
  readonly root: string;
  /** The command lines that the steps ran, and whether they succeed. */
  readonly commands: string[];
}

export interface MachineOptions {
  readonly answers?: readonly string[] | "preset";
  readonly env?: Readonly<Record<string, string>>;
  /** What a command does. Resolves to true if it succeeds. Default: it succeeds and does nothing. */
  readonly run?: (words: readonly string[]) => Promise<boolean>;
}

export function machineIn(directory: string, { answers, env = {}, run }: MachineOptions = {}): Machine {
  const home = join(directory, "home");
  const root = join(directory, "root");
  mkdirSync(home, { recursive: true });
  const deps = {
    ...systemDeps(),
    env: { HOME: home, PATH: "/usr/bin:/bin", ...env },
    log: { info: () => {}, warn: () => {} },
  };
  const context: CommandContext = { deps, layout: layoutOf(root), rootNamed: true, createsRoot: true };
  const talk = scriptedDialog(answers);
  const commands: string[] = [];
  return {
    home,
    root,
    talk,
    commands,
    setUp: {
      context,
      dialog: talk.dialog,
      binary: env.CODEXLB_CODEX_BIN ?? "codex",
      rootFlags: ["--root", root],
      codexFlags: [],
      again: `codexlb init --root ${root}`,
      signal: new AbortController().signal,
      codexlb: async (words) => {
        commands.push(words.join(" "));
        return (await run?.(words)) ?? true;
      },
    },
  };
}

/** A state that must be open. */
export function openOf(state: StepState): Extract<StepState, { kind: "open" }> {
  if (state.kind !== "open") throw new Error(`the step is ${state.kind}: ${state.detail}`);
  return state;
}

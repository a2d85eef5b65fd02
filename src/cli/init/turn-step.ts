// The step of `codexlb init` that runs one turn of Codex through the pool, and shows which account served it.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { daemonAt } from "../../admin/daemon.ts";
import { outputOf } from "../../codex/installed-codex.ts";
import { ago } from "../../core/time-words.ts";
import { readTextIfPresent } from "../../state/atomic-file.ts";
import { rootExists } from "../context.ts";
import { selfCommand } from "../self.ts";
import { waitingFor } from "../terminal/terminal.ts";
import { usableCodex } from "./codex-step.ts";
import { accountsOf, canServe, servedLast } from "./pool-state.ts";
import { type SetUp, typedCommand } from "./set-up.ts";
import { FAILED, NEEDS_CODEX, needsAccount, type Step, type StepResult } from "./step.ts";

export function turnStep(setUp: SetUp): Step {
  const { context, binary, signal } = setUp;
  return {
    title: "Test turn",
    detect: async () => {
      if (!rootExists(context) || !(await canServe(context))) return needsAccount();
      const served = servedLast(await accountsOf(context));
      if (served !== undefined)
        return {
          kind: "done",
          detail: `${served.alias} has served, ${ago(served.atMs, context.deps.clock.now())}`,
        };
      if (typeof (await usableCodex(binary, context.deps.env, signal)) === "string") return NEEDS_CODEX;
      const { kind } = await daemonAt(context.layout.adminSocket);
      return {
        kind: "open",
        details: [
          `This runs ${typedCommand(["run", ...setUp.rootFlags, "exec", PROMPT])} and shows which account answers. It costs one short turn of that account: a few thousand tokens, nearly all of them Codex's own instructions. Codex saves no thread for it, but writes its usual state files to its home.`,
          ...(kind === "none"
            ? ["No proxy is running, so codexlb starts one for this turn and stops it afterwards."]
            : []),
        ],
        offer: {
          question: "Run it?",
          choices: [{ key: "y", label: "run it", apply: () => runTurn(setUp) }],
          enter: "y",
          preset: "y",
        },
      };
    },
  };
}

// --- internal ---

const PROMPT = "Reply with the single word OK.";
const TURN_TIMEOUT_MS = 180_000;
/** How many lines of a failed turn are shown. */
const SHOWN_LINES = 12;

async function runTurn({ context, dialog, rootFlags, codexFlags, signal }: SetUp): Promise<StepResult> {
  const directory = mkdtempSync(join(tmpdir(), "codexlb-init-"));
  const answerFile = join(directory, "answer");
  const exec = ["exec", "--skip-git-repo-check", "--ephemeral", "-s", "read-only", "-o", answerFile, PROMPT];
  const argv = [...selfCommand(), "run", ...rootFlags, ...codexFlags, "--auto-start", ...exec];
  try {
    const output = await waitingFor(
      "running one turn with Codex",
      outputOf(argv, {
        env: { ...context.deps.env },
        // Instructions of a project would add to the turn.
        cwd: directory,
        signal: AbortSignal.any([signal, AbortSignal.timeout(TURN_TIMEOUT_MS)]),
      }),
    );
    signal.throwIfAborted();
    const answer = readTextIfPresent(answerFile)?.trim();
    if (!answer) {
      dialog.say("the turn failed. The last lines that Codex printed:", "warning");
      for (const line of output.trim().split("\n").slice(-SHOWN_LINES)) dialog.say(line);
      dialog.say(`To find the reason: ${typedCommand(["doctor", ...rootFlags])}`);
      return FAILED;
    }
    const served = servedLast(await accountsOf(context));
    return {
      kind: "done",
      detail: `${served === undefined ? "the pool" : served.alias} answered: ${answer}`,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

// `codexlb init`: sets up codexlb on this machine step by step. Changes nothing until the user answers yes.

import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import { codexBinary } from "../../codex/login.ts";
import { CodexlbError } from "../../errors.ts";
import { print } from "../../print.ts";
import { outputColumns, USUAL_COLUMNS } from "../../terminal-columns.ts";
import { CODEX_BIN_FLAG, ROOT_FLAG } from "../common-flags.ts";
import { type CommandContext, contextOf } from "../context.ts";
import { usage } from "../flags.ts";
import { catchInterruption } from "../interruption.ts";
import { listensAt, locate } from "../proxy/locate-proxy.ts";
import { isCompiled } from "../self.ts";
import { outputStyle } from "../terminal/glyphs.ts";
import { openLineInput } from "../terminal/line-input.ts";
import { accountsStep } from "./accounts-step.ts";
import { codexStep } from "./codex-step.ts";
import { completionsStep, onPath } from "./completions-step.ts";
import { createDialog, type Dialog } from "./dialog.ts";
import { proxyStep } from "./proxy-step.ts";
import { requirePossible } from "./requirements.ts";
import { rootStep } from "./root-step.ts";
import { runSteps, type StepEnd } from "./run-steps.ts";
import { commandRunner, FINISHED_STAYS, type SetUp, stopped, typedCommand } from "./set-up.ts";
import { turnStep } from "./turn-step.ts";
import { showUnusable } from "./unusable-accounts.ts";

export default defineCommand({
  meta: {
    name: "codexlb init",
    description:
      "Set up codexlb step by step: accounts, proxy, shell completions, a test turn. Run it again to continue",
  },
  args: {
    ...ROOT_FLAG,
    ...CODEX_BIN_FLAG,
    yes: {
      type: "boolean",
      description:
        "Ask nothing: create the root, import the login of your Codex home, start the proxy, run a test turn; edit no profile",
    },
    service: {
      type: "boolean",
      description: "Install the proxy as a service (without --yes: suggest that answer)",
    },
    "no-turn": { type: "boolean", description: "Skip the test turn" },
  },
  run: async ({ args }) => {
    const isAsked = !args.yes;
    const codexFlags = args["codex-bin"]?.trim() ? ["--codex-bin", args["codex-bin"]] : [];
    const flags = [...(args.service ? ["--service"] : []), ...(args["no-turn"] ? ["--no-turn"] : [])];
    if (isAsked && !(process.stdin.isTTY && process.stdout.isTTY))
      throw usage(
        "codexlb init asks questions, so it needs a terminal",
        `in scripts, use: ${advised("init", ...codexFlags, "--yes", ...flags)}`,
      );
    const context = contextOf(args.root, { createsRoot: true });
    await requireOwnProxy(context);
    const rootFlags = args.root?.trim() ? ["--root", args.root] : [];
    const again = typedCommand([
      "init",
      ...rootFlags,
      ...codexFlags,
      ...(isAsked ? [] : ["--yes"]),
      ...flags,
    ]);
    using interruption = catchInterruption();
    const stopping = new AbortController();
    interruption.signal.addEventListener("abort", () => {
      stopping.abort(interruption.error(FINISHED_STAYS, `continue with: ${again}`));
    });
    const { signal } = stopping;
    using input = isAsked ? openLineInput() : undefined;
    const dialog = createDialog({
      columns: outputColumns(context.deps.env) || USUAL_COLUMNS,
      style: outputStyle(context.deps.env),
      print,
      ask: isAsked
        ? async (prompt) => {
            const line = await input?.ask(prompt, signal);
            if (line === undefined) throw stopped("the input ended", again);
            return line;
          }
        : undefined,
    });
    const setUp: SetUp = {
      context,
      dialog,
      binary: codexBinary(args["codex-bin"], context.deps.env),
      rootFlags,
      codexFlags,
      again,
      signal,
      codexlb: commandRunner(context, again, signal),
    };
    if (isAsked)
      dialog.say(
        `This sets up codexlb. Nothing changes until you answer yes, and n skips a question. Ctrl-C stops; to continue, run: ${again}.`,
      );
    const executable = isCompiled() ? process.execPath : process.argv0;
    const steps = [
      codexStep(setUp, isAsked),
      rootStep(setUp),
      accountsStep(setUp),
      proxyStep(setUp, args.service ?? false),
      completionsStep(context.deps.env, executable),
      ...(args["no-turn"] ? [] : [turnStep(setUp)]),
    ];
    if (!isAsked) await requirePossible(steps, setUp);
    const ends = await runSteps(steps, dialog, { isAsked });
    await showUnusable(setUp);
    close(dialog, rootFlags, context, executable);
    refuseUnfinished(ends, again, isAsked);
  },
});

// --- internal ---

/** Throws `usage` if the commands on this machine use the proxy of another root, whose accounts are not set up here. */
async function requireOwnProxy(context: CommandContext): Promise<void> {
  const location = await locate(context, {});
  if (location.kind !== "named" || listensAt(location.daemon, location.named.url)) return;
  const { url, by } = location.named;
  throw usage(
    `codexlb init sets up accounts on this machine, but ${by} makes commands use the proxy at ${url}`,
    `to use that proxy, run: ${advised("run")}; to set up this machine, remove ${by} first`,
  );
}

/** Ends with the commands to remember. */
function close(
  dialog: Dialog,
  rootFlags: readonly string[],
  { deps }: CommandContext,
  executable: string,
): void {
  const commands = [
    ["run", "starts Codex with your accounts; use it instead of codex"],
    ["status", "shows your accounts and how much quota they have left"],
    ["doctor", "finds problems, and says how to fix them"],
  ].map(([name = "", what = ""]) => [typedCommand([name, ...rootFlags]), what] as const);
  const width = Math.max(...commands.map(([command]) => command.length));
  dialog.heading("Three commands to remember");
  for (const [command, what] of commands) dialog.row(command.padEnd(width), what);
  if (Bun.which("codexlb", { PATH: deps.env.PATH ?? "" }) === null)
    dialog.say(`codexlb is not on the PATH: ${onPath(executable)}`, "warning");
}

/** Throws `unhealthy` if a step failed, or if with `--yes` a required step could not be done. */
function refuseUnfinished(ends: readonly StepEnd[], again: string, isAsked: boolean): void {
  const unfinished = ends.filter(({ kind }) => kind === "failed" || (kind === "unavailable" && !isAsked));
  if (unfinished.length === 0) return;
  throw new CodexlbError("unhealthy", `not finished: ${unfinished.map(({ title }) => title).join(", ")}`, {
    next: `fix the problems in the marked lines above, then continue with: ${again}`,
  });
}

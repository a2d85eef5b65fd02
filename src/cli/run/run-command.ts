// `codexlb run`: starts Codex, configured to use the proxy.

import { constants } from "node:os";
import { defineCommand } from "citty";
import { commandLine } from "../../codex/command-line.ts";
import { codexBinary } from "../../codex/login.ts";
import type { Ended } from "../../codex/run.ts";
import { print } from "../../print.ts";
import { knownAliases } from "../accounts/unknown-account.ts";
import { configOf } from "../config/root-config.ts";
import { contextOf, requireRoot } from "../context.ts";
import { locate, servingUrl } from "../proxy/locate-proxy.ts";
import { autoStartLine } from "./auto-start-line.ts";
import { proxyForRun } from "./proxy-for-run.ts";
import { requireProxy } from "./require-proxy.ts";
import { commandOf, type RunJob, runAtProxy } from "./run-at-proxy.ts";
import { choiceIn, RUN_FLAGS } from "./run-flags.ts";
import { runHomeOf } from "./run-home.ts";
import { isSilent } from "./tagged-run.ts";

export default defineCommand({
  meta: {
    name: "codexlb run",
    description: "Run Codex through the proxy; arguments for Codex follow the flags",
  },
  args: {
    ...RUN_FLAGS,
    arguments: { type: "positional", description: "Arguments for Codex", required: false },
  },
  run: async ({ args, rawArgs }) => {
    const chosen = choiceIn(args);
    const context = contextOf(args.root);
    const { deps } = context;
    const namesProxy = Boolean(args["proxy-url"]?.trim() || deps.env.CODEXLB_PROXY_URL?.trim());
    if (!args.command) requireRoot(context, { needsAccounts: !namesProxy });
    const config = await configOf(context);
    const job: RunJob = {
      context,
      binary: codexBinary(args["codex-bin"], deps.env),
      home: args["native-home"]
        ? undefined
        : runHomeOf(context, { codexHome: args["codex-home"], isolated: args["isolated-home"] }),
      prefix: config.commands.run,
      args: rawArgs,
      flags: args,
      withProxy: autoStartLine(rawArgs, args),
      aliases: () => knownAliases(context, args),
    };
    const location = await locate(context, args);
    if (args.command) {
      const proxyUrl = servingUrl(context, location);
      return print(`${commandLine(commandOf(job, { proxyUrl, home: job.home }), deps.env)}\n`);
    }
    const proxy = await proxyForRun(context, location, args["auto-start"]);
    try {
      if (!isSilent(job.args)) await requireProxy(context, proxy, job.withProxy);
      const shell = config.run.inherit_shell ? deps.env.SHELL?.trim() || "/bin/sh" : undefined;
      await endAs(await runAtProxy(job, proxy, chosen, shell));
    } finally {
      proxy.leave();
    }
  },
});

// --- internal ---

/** Ends this process like Codex: with the same exit code, or by the same signal. */
async function endAs(ended: Ended): Promise<void> {
  if (ended.kind === "exit") {
    process.exitCode = ended.code;
    return;
  }
  process.kill(process.pid, ended.signal);
  // A signal that this process ignores, such as SIGPIPE, does not end it. Then the exit code reports the signal.
  await Bun.sleep(SIGNAL_GRACE_MS);
  process.exitCode = 128 + constants.signals[ended.signal];
}

const SIGNAL_GRACE_MS = 100;

// `codexlb run`: Codex with everything set so that it talks to the proxy.

import { defineCommand } from "citty";
import { type CodexAddresses, codexAddresses, parseProxyUrl } from "../../codex/addresses.ts";
import { codexCommand, commandLine } from "../../codex/command-line.ts";
import { codexBinary } from "../../codex/login.ts";
import { type Ended, INSTALL_CODEX, runCodex } from "../../codex/run.ts";
import { CODEX_BIN_FLAG, configOf, contextOf, PROXY_URL_FLAG, proxyUrlOf, ROOT_FLAG } from "../context.ts";
import { prepareRuntime } from "../runtime-home.ts";

export default defineCommand({
  meta: { name: "codexlb run", description: "Run Codex through the proxy; its own arguments follow" },
  args: {
    ...ROOT_FLAG,
    ...PROXY_URL_FLAG,
    ...CODEX_BIN_FLAG,
    "codex-home": {
      type: "string",
      description: "CODEX_HOME to use (default ROOT/runtime)",
      valueHint: "DIR",
    },
    command: { type: "boolean", description: "Print the command and exit" },
    arguments: { type: "positional", description: "Arguments of codex", required: false },
  },
  run: async ({ args, rawArgs }) => {
    const context = contextOf(args.root);
    const { deps, layout } = context;
    const config = await configOf(context);
    const proxyUrl = parseProxyUrl(await proxyUrlOf(context, args["proxy-url"])).href.replace(/\/+$/, "");
    const codexHome = args["codex-home"]?.trim() || layout.runtime;
    const commandFor = (addresses: CodexAddresses, keyed: boolean) =>
      codexCommand({
        binary: codexBinary(args["codex-bin"], deps.env),
        addresses,
        keyed,
        proxyUrl,
        codexHome,
        prefix: config.commands.run,
        args: rawArgs,
        env: deps.env,
      });
    if (args.command)
      return void process.stdout.write(`${commandLine(commandFor(codexAddresses(proxyUrl), false))}\n`);
    const { addresses, keyed } = await prepareRuntime(context, codexHome, proxyUrl);
    const command = commandFor(addresses, keyed);
    const shell = config.run.inherit_shell ? deps.env.SHELL?.trim() || "/bin/sh" : undefined;
    const ended = await runCodex({ command, shell, env: deps.env });
    if (ended.kind === "exit" && ended.code === SHELL_NOT_FOUND && Bun.which(command.binary) === null)
      deps.log.info(`${command.binary} was not found; ${INSTALL_CODEX}`);
    await endAs(ended);
  },
});

// --- internal ---

/** What a shell ends with when there is no such program. */
const SHELL_NOT_FOUND = 127;

/** Ends this process as Codex ended: with its exit code, or by the same signal. */
async function endAs(ended: Ended): Promise<void> {
  if (ended.kind === "exit") {
    process.exitCode = ended.code;
    return;
  }
  process.kill(process.pid, ended.signal);
  // A signal that is ignored here does not end us: then its usual exit code has to tell.
  await Bun.sleep(SIGNAL_GRACE_MS);
  process.exitCode = 255;
}

const SIGNAL_GRACE_MS = 100;

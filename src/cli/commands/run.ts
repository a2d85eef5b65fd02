// `codexlb run`: Codex with everything set so that it talks to the proxy.

import { join } from "node:path";
import { defineCommand } from "citty";
import { readCredentials } from "../../auth/homes.ts";
import { DEFAULT_PLAN, makeStub, signingKeyOf } from "../../auth/stub.ts";
import { codexAddresses, parseProxyUrl } from "../../codex/addresses.ts";
import { codexCommand, commandLine } from "../../codex/command-line.ts";
import { prepareHome, userHomes } from "../../codex/home.ts";
import { type Ended, INSTALL_CODEX, runCodex } from "../../codex/run.ts";
import { readConfig } from "../../state/config-source.ts";
import {
  type CommandContext,
  clientUrl,
  contextOf,
  openLocalStore,
  PROXY_URL_FLAG,
  ROOT_FLAG,
} from "../context.ts";

export default defineCommand({
  meta: { name: "codexlb run", description: "Run Codex through the proxy; its own arguments follow" },
  args: {
    ...ROOT_FLAG,
    ...PROXY_URL_FLAG,
    "codex-bin": {
      type: "string",
      description: "Codex executable (CODEXLB_CODEX_BIN; default codex)",
      valueHint: "PATH",
    },
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
    const config = readConfig(layout);
    const given = clientUrl(args["proxy-url"], deps, config);
    const addresses = codexAddresses(given);
    const codexHome = args["codex-home"]?.trim() || layout.runtime;
    const command = codexCommand({
      binary: args["codex-bin"]?.trim() || deps.env.CODEXLB_CODEX_BIN?.trim() || "codex",
      addresses,
      proxyUrl: parseProxyUrl(given).href.replace(/\/+$/, ""),
      codexHome,
      prefix: config.commands.run,
      args: rawArgs,
      env: deps.env,
    });
    if (args.command) return void process.stdout.write(`${commandLine(command)}\n`);
    await prepare(context, codexHome, addresses.chatgpt);
    const shell = config.run.inherit_shell ? deps.env.SHELL?.trim() || "/bin/sh" : undefined;
    const ended = await runCodex({ command, shell, env: deps.env });
    if (ended.kind === "exit" && ended.code === SHELL_NOT_FOUND && Bun.which(command.binary) === null)
      deps.log.info(`${command.binary} was not found; ${INSTALL_CODEX}`);
    await endAs(ended);
  },
});

// --- internal ---

async function prepare(context: CommandContext, codexHome: string, chatgptBaseUrl: string): Promise<void> {
  const { deps, layout } = context;
  const { state } = openLocalStore(context, true);
  // The account that served last knows the plan and the settings best; then the others in order.
  const accounts = [...state.accounts].sort(
    (a, b) => Number(b.id === state.activeId) - Number(a.id === state.activeId),
  );
  const usable = accounts.filter((account) => account.health.kind !== "disabled");
  const plan = usable.map((account) => planOf(account.homeDir)).find((found) => found !== undefined);
  const stub = await makeStub(plan ?? DEFAULT_PLAN, signingKeyOf(layout, deps), deps.clock.now());
  const first = usable[0];
  const configSources = [
    ...(first === undefined ? [] : [join(layout.accounts, first.alias)]),
    ...userHomes(deps.env),
  ];
  prepareHome({ codexHome, configSources, stub, chatgptBaseUrl });
}

function planOf(homeDir: string): string | undefined {
  try {
    return readCredentials(homeDir).planType;
  } catch {
    return undefined; // an account that cannot be read has told its problem already
  }
}

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

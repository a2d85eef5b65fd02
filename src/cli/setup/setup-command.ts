// `codexlb setup`: points clients that start without `codexlb run` at the proxy, through the user's config.toml.

import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import { codexAddresses } from "../../codex/addresses.ts";
import { BASE_URL_KEYS, baseUrlsOf } from "../../codex/base-urls.ts";
import { planSetup, type SetupPlan } from "../../codex/client-setup.ts";
import { settingsIn } from "../../codex/home.ts";
import { isLoopback } from "../../core/listen.ts";
import { CodexlbError } from "../../errors.ts";
import { print, printMessage } from "../../print.ts";
import { PROXY_URL_FLAG, ROOT_FLAG } from "../common-flags.ts";
import { type CommandContext, contextOf } from "../context.ts";
import { locate } from "../proxy/locate-proxy.ts";
import { warnOfSharedLogin } from "../run/native-home.ts";
import { addressOf } from "../run/proxy-address.ts";
import { requiresKey } from "../run/runtime-home.ts";
import { CLIENT_HOME_FLAG, clientHomeOf } from "./client-home.ts";

export default defineCommand({
  meta: {
    name: "codexlb setup",
    description: "Make the IDE extension, the desktop app and plain codex use the proxy",
  },
  args: {
    ...ROOT_FLAG,
    ...PROXY_URL_FLAG,
    ...CLIENT_HOME_FLAG,
    print: { type: "boolean", description: "Print the changes to config.toml without writing them" },
  },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    const home = clientHomeOf(context, args["codex-home"]);
    const { url } = await addressOf(context, await locate(context, args));
    const plan = planSetup(home, baseUrlsOf(codexAddresses(url)));
    if (args.print) return print(`${plan.path}\n${changesOf(plan)}`);
    // Keys in the URL expire after some weeks, and in the header these clients send their own login.
    if (await requiresKey(context, url))
      throw new CodexlbError(
        "unauthorized",
        `the proxy at ${url} requires a client key, but clients configured by codexlb setup send their own login instead`,
        {
          next: `start Codex with ${advised("run")}, or point the clients at a proxy that listens on 127.0.0.1`,
        },
      );
    plan.apply();
    printMessage(
      plan.before === plan.after
        ? `${plan.path} already points at ${url}`
        : `${plan.path} points at ${url} (undo: ${advised("unsetup")}); restart running clients`,
    );
    await warn(context, home, plan.path, url);
  },
});

// --- internal ---

async function warn(context: CommandContext, home: string, path: string, url: string): Promise<void> {
  const { log } = context.deps;
  const { protocol, hostname } = new URL(url);
  if (protocol === "http:" && !isLoopback(hostname.replace(/^\[|\]$/g, "")))
    log.warn(`the clients send their own login to ${url} without encryption`);
  const provider = settingsIn(home)?.model_provider;
  if (typeof provider === "string" && provider !== "openai")
    log.warn(
      `model_provider = ${JSON.stringify(provider)} in ${path} still sends turns elsewhere; remove it to use the proxy`,
    );
  await warnOfSharedLogin(
    context,
    home,
    `log in again for one of them: codex login, or ${advised("account login", "ALIAS")}`,
  );
}

/** The added and replaced lines, as a diff. */
function changesOf({ before = "", after }: SetupPlan): string {
  const old = before.split("\n");
  let at = 0;
  const changes: string[] = [];
  for (const line of after.split("\n")) {
    const former = old[at];
    if (line === former) at++;
    else {
      const key = BASE_URL_KEYS.find((one) => line.startsWith(one));
      if (key !== undefined && former?.trimStart().startsWith(key)) {
        changes.push(`-${former}`);
        at++;
      }
      changes.push(`+${line}`);
    }
  }
  return changes.length === 0 ? "nothing to change\n" : `${changes.join("\n")}\n`;
}

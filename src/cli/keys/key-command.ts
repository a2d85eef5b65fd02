// `codexlb key ...`: keys for clients, and for proxies in front of this one.

import { defineCommand } from "citty";
import { KEY_ROLES, type KeyRole } from "../../auth/keys-file.ts";
import { changedLimits } from "../../core/key-limits.ts";
import { fullMessageOf } from "../../errors.ts";
import { print, printJson, printMessage } from "../../print.ts";
import { configFrom } from "../../state/config-source.ts";
import { tagDemand } from "../accounts/option-flags.ts";
import { withKeys } from "../accounts/with-accounts.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { settingsInEffect } from "../config/root-config.ts";
import { contextOf, rootExists, warnOfMissingRoot } from "../context.ts";
import { usage } from "../flags.ts";
import { foundServices } from "../service/running-services.ts";
import { printOnce } from "../terminal/standard-output.ts";
import { table } from "../terminal/table.ts";
import { terminalFrame } from "../terminal/terminal-frame.ts";
import { KEY_NAME, onlyName, TAG_FLAGS } from "./key-flags.ts";
import { keyJson } from "./key-json.ts";
import { keyTable } from "./key-table.ts";
import { keyObstacles, keySteps } from "./key-usage.ts";
import { exactLimitsText, lastUseOf, tagsText, utcMinute } from "./key-words.ts";
import { LIMIT_FLAGS, limitChanges } from "./limit-flags.ts";
import set from "./set-command.ts";
import show from "./show-command.ts";
import { warnOfUntaggedKey } from "./untagged-key.ts";

const add = defineCommand({
  meta: { name: "codexlb key add", description: "Create a key and print it; it is shown only once" },
  args: {
    ...ROOT_FLAG,
    role: {
      type: "string",
      description:
        "client: can send requests. parent: for a proxy in front of this one; can also read the status. metrics: can only read /metrics",
      default: "client",
      valueHint: KEY_ROLES.join("|"),
    },
    ...TAG_FLAGS,
    ...LIMIT_FLAGS,
    name: KEY_NAME,
  },
  run: async ({ args, rawArgs }) => {
    const name = onlyName("add", rawArgs);
    const role = roleOf(args.role);
    const tags = tagDemand("key add", args);
    const context = contextOf(args.root, { createsRoot: true });
    const limits = changedLimits(undefined, limitChanges(args, context.deps.clock.now()));
    await withKeys(context, true, async (keys) => {
      const key = await keys.add(name, role, tags, limits);
      // The key is shown only once, so remove one that could not be printed.
      await printOnce(`${key}\n`).catch(async (error) => {
        await keys.remove(name);
        throw error;
      });
    });
    const { deps, layout } = context;
    const { log } = deps;
    if (tags !== undefined) await warnOfUntaggedKey(context, tags);
    // The key exists even if the settings are invalid.
    const settings = await settingsInEffect(context).catch((error) => log.warn(fullMessageOf(error)));
    if (settings === undefined) {
      for (const step of keySteps(role, UNKNOWN_ADDRESS)) log.info(step);
      return;
    }
    const { proxy } = configFrom(settings.settings);
    for (const step of keySteps(role, proxy)) log.info(step);
    const isService = (await foundServices(deps)).some(({ service }) => service.root === layout.root);
    const listenSource = settings.settings.find(({ key }) => key === "proxy.listen")?.source;
    for (const obstacle of keyObstacles(role, proxy, { path: layout.config, listenSource, isService }))
      log.warn(obstacle);
  },
});

const list = defineCommand({
  meta: {
    name: "codexlb key list",
    description: "List the keys with role, last use, tags and limits (never the secrets)",
  },
  args: { ...ROOT_FLAG, json: { type: "boolean", description: "Print JSON" } },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    warnOfMissingRoot(context);
    const keys = await withKeys(context, false, (ops) => ops.list());
    if (args.json) {
      return printJson({ keys: keys.map(keyJson) }, 2);
    }
    if (keys.length === 0) return printMessage("no keys");
    const { env, clock } = context.deps;
    const frame = terminalFrame(env);
    if (frame !== undefined) return print(keyTable(keys, frame, clock.now()));
    const rows = keys.map((key) => {
      const usedMs = lastUseOf(key);
      return [
        key.name,
        key.role,
        new Date(key.createdMs).toISOString().slice(0, 10),
        usedMs === undefined ? "never" : utcMinute(usedMs),
        key.tags === undefined ? "-" : tagsText(key.tags),
        exactLimitsText(key.limits) || "-",
      ];
    });
    print(table([["NAME", "ROLE", "CREATED", "LAST USED", "TAGS", "LIMITS"], ...rows]));
  },
});

const rm = defineCommand({
  meta: { name: "codexlb key rm", description: "Remove a key; the proxy refuses it from now on" },
  args: { ...ROOT_FLAG, name: KEY_NAME },
  run: async ({ args, rawArgs }) => {
    const name = onlyName("rm", rawArgs);
    const context = contextOf(args.root);
    warnOfMissingRoot(context);
    await withKeys(context, rootExists(context), (keys) => keys.remove(name));
    printMessage(`removed key ${name}`);
  },
});

export default defineCommand({
  meta: { name: "codexlb key", description: "Create, limit, show and remove client keys" },
  subCommands: { add, list, show, set, rm },
});

// --- internal ---

/** The steps then name HOST and PORT. */
const UNKNOWN_ADDRESS = { listen: "0.0.0.0:0" } as const;

function roleOf(text: string): KeyRole {
  const role = KEY_ROLES.find((candidate) => candidate === text.trim());
  if (role !== undefined) return role;
  throw usage(`flag --role: ${JSON.stringify(text)} is not a role`, `roles: ${KEY_ROLES.join(", ")}`);
}

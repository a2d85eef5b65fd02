// `codexlb key set`: changes the tags and limits of a key.

import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import type { TagDemand } from "../../core/account-tags.ts";
import { fullMessageOf } from "../../errors.ts";
import { printMessage } from "../../print.ts";
import { configFrom } from "../../state/config-source.ts";
import { tagDemand } from "../accounts/option-flags.ts";
import { withKeys } from "../accounts/with-accounts.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { settingsInEffect } from "../config/root-config.ts";
import { contextOf, rootExists, warnOfMissingRoot } from "../context.ts";
import { usage } from "../flags.ts";
import { KEY_NAME, onlyName, TAG_FLAGS } from "./key-flags.ts";
import { hasLimitFlags, LIMIT_FLAGS, limitChanges, NONE } from "./limit-flags.ts";
import { warnOfUntaggedKey } from "./untagged-key.ts";

export default defineCommand({
  meta: {
    name: "codexlb key set",
    description: 'Change the tags or limits of a key; the value "none" removes one',
  },
  args: { ...ROOT_FLAG, ...TAG_FLAGS, ...LIMIT_FLAGS, name: KEY_NAME },
  run: async ({ args, rawArgs }) => {
    const name = onlyName("set", rawArgs);
    if (args.tag === undefined && !args.only && !hasLimitFlags(args))
      throw usage(
        "key set: nothing to set",
        `pass a flag, as in: ${advised("key set", name, "--tokens-per-day", "5M")}`,
      );
    const context = contextOf(args.root);
    const limits = limitChanges(args, context.deps.clock.now());
    const tags = tagChange(args);
    warnOfMissingRoot(context);
    await withKeys(context, rootExists(context), (keys) => keys.set(name, { tags, limits }));
    printMessage(`changed key ${name}`);
    if (tags) await warnOfUntaggedKey(context, tags);
    const { log } = context.deps;
    // The key is changed even if the settings are invalid.
    const settings = await settingsInEffect(context).catch((error) => log.warn(fullMessageOf(error)));
    if (settings !== undefined && !configFrom(settings.settings).proxy.client_auth)
      log.warn(
        `limits of keys have no effect while proxy.client_auth = false: set client_auth = true below [proxy] in ${context.layout.config}`,
      );
  },
});

// --- internal ---

/** The tags to set; null removes them, and undefined leaves them. */
function tagChange(args: {
  tag: string | undefined;
  only: boolean | undefined;
}): TagDemand | null | undefined {
  if (args.tag?.trim().toLowerCase() !== NONE) return tagDemand("key set", args);
  if (args.only) throw usage("key set: --only needs tags", "name the tags, as in: --tag work --only");
  return null;
}

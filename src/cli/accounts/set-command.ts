// `codexlb account set`: changes the settings and the options of an account.

import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import type { SettingsChange } from "../../auth/account-ops.ts";
import { type OptionChanges, WHOLE_PCT } from "../../core/account-options.ts";
import { changeWords } from "../../core/option-words.ts";
import { NO_OUTBOUND_PROXY, withoutPassword } from "../../network/outbound-proxy.ts";
import { printMessage } from "../../print.ts";
import { REMOTE_FLAGS, ROOT_FLAG } from "../common-flags.ts";
import { contextOf, rootExists } from "../context.ts";
import { usage } from "../flags.ts";
import { placeOf } from "./account-place.ts";
import { OPTION_FLAGS, optionChanges } from "./option-flags.ts";
import { withAccounts } from "./with-accounts.ts";

export default defineCommand({
  meta: {
    name: "codexlb account set",
    description: "Set the priority, floors, tags, note, monthly cap or HTTP proxy of an account",
  },
  args: {
    ...ROOT_FLAG,
    ...REMOTE_FLAGS,
    ...OPTION_FLAGS,
    "outbound-proxy": {
      type: "string",
      description:
        "HTTP proxy for this account's turns, token refreshes and usage requests (none: use proxy.outbound_proxy)",
      valueHint: "URL",
    },
    alias: { type: "positional", description: "Alias or id of the account", valueHint: "ALIAS" },
  },
  run: async ({ args, rawArgs }) => {
    const [alias, ...surplus] = rawArgs;
    if (!alias?.trim() || surplus.length > 0) throw usage("account set takes one alias");
    const outboundProxy = proxyIn(args["outbound-proxy"], alias);
    const options = optionChanges(args);
    if (outboundProxy === undefined && options === undefined)
      throw usage(
        "account set: nothing to set",
        `pass a flag, as in: ${advised("account set", "alice", "--priority", "10")}`,
      );
    const context = contextOf(args.root);
    const place = await placeOf(context, args);
    const set = await withAccounts(context, place, { write: rootExists(context), about: alias }, (ops) =>
      ops.set(alias, { outboundProxy, options }),
    );
    if (outboundProxy !== undefined)
      printMessage(
        outboundProxy === null
          ? `account ${set.alias} uses the configured outbound proxy`
          : `account ${set.alias} uses the outbound proxy ${withoutPassword(outboundProxy)}`,
      );
    if (options !== undefined) printMessage(`account ${set.alias}: ${changeWords(options)}`);
    for (const warning of [...warnings(set), ...wholeFloors(set.alias, options)])
      context.deps.log.warn(warning);
  },
});

// --- internal ---

/** The URL of the account's own proxy; null to clear it; undefined without the flag. */
function proxyIn(value: string | undefined, alias: string): string | null | undefined {
  const proxy = value?.trim();
  if (proxy === "")
    throw usage(
      "account set: --outbound-proxy is empty",
      `to clear the account's proxy: ${advised("account set", alias, "--outbound-proxy", NO_OUTBOUND_PROXY)}`,
    );
  return proxy === NO_OUTBOUND_PROXY ? null : proxy;
}

/** A warning for floors that keep back a whole window. */
function wholeFloors(alias: string, options: OptionChanges = {}): string[] {
  const isWhole = [options.floorDaily, options.floorWeekly].includes(WHOLE_PCT);
  if (!isWhole) return [];
  return [
    `with a floor of ${WHOLE_PCT}%, ${alias} serves only if no other account can, and never if policy.spend_floors = "never"`,
  ];
}

function warnings({ alias, overruled = [] }: SettingsChange): string[] {
  if (overruled.length === 0) return [];
  const names = overruled.join(", ");
  return [
    `[accounts.${alias}] in config.toml sets ${names}, and the file wins; change it there, or remove it from the file`,
  ];
}

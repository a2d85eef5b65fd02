// `codexlb account set`: changes the settings of an account.

import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import { NO_OUTBOUND_PROXY, withoutPassword } from "../../network/outbound-proxy.ts";
import { print } from "../../print.ts";
import { REMOTE_FLAGS, ROOT_FLAG } from "../common-flags.ts";
import { contextOf, rootExists } from "../context.ts";
import { usage } from "../flags.ts";
import { placeOf } from "./account-place.ts";
import { withAccounts } from "./with-accounts.ts";

export default defineCommand({
  meta: { name: "codexlb account set", description: "Change the settings of an account" },
  args: {
    ...ROOT_FLAG,
    ...REMOTE_FLAGS,
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
    const proxy = args["outbound-proxy"]?.trim();
    if (proxy === undefined)
      throw usage(
        "account set: nothing to set",
        `pass a flag, as in: ${advised("account set", "alice", "--outbound-proxy", "URL")}`,
      );
    if (proxy === "")
      throw usage(
        "account set: --outbound-proxy is empty",
        `to clear the account's proxy: ${advised("account set", alias, "--outbound-proxy", NO_OUTBOUND_PROXY)}`,
      );
    const context = contextOf(args.root);
    const place = await placeOf(context, args);
    const outboundProxy = proxy === NO_OUTBOUND_PROXY ? undefined : proxy;
    const changed = await withAccounts(context, place, { write: rootExists(context), about: alias }, (ops) =>
      ops.set(alias, { outboundProxy }),
    );
    print(
      outboundProxy === undefined
        ? `account ${changed} uses the configured outbound proxy\n`
        : `account ${changed} uses the outbound proxy ${withoutPassword(outboundProxy)}\n`,
    );
  },
});

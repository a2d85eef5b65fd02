// Checks the options of accounts in config.toml: do they belong to an account, do they have an effect on it, and are
// the named tags in use. Pure.

import { advised } from "../../advice.ts";
import { hasTag } from "../../core/account-tags.ts";
import { type AccountRecord, optionsOf } from "../../state/account-record.ts";
import type { Config } from "../../state/settings.ts";
import { unknownAliases, uselessSettings } from "../config/config-warnings.ts";
import type { Finding } from "./finding.ts";

/** The problems of the options in `config`; empty if there are none. */
export function examineOptions(
  { accounts: options, policy }: Pick<Config, "accounts" | "policy">,
  accounts: readonly Pick<AccountRecord, "alias" | "billing" | "options">[],
): Finding[] {
  const check = "account options";
  const tagged = accounts.filter((account) => hasTag(optionsOf(account, options), policy.tags));
  return [
    ...unknownAliases(options, accounts).map(
      (alias): Finding => ({
        check,
        status: "warning",
        detail: `[accounts.${alias}] in config.toml has no effect, because there is no account ${alias}`,
        remedy: `correct the alias, or remove the table; for the aliases, run: ${advised("account list")}`,
      }),
    ),
    ...uselessSettings(options, accounts).map(
      (detail): Finding => ({
        check,
        status: "warning",
        detail,
        remedy: "remove it from config.toml",
      }),
    ),
    ...(policy.tags.length === 0 || tagged.length > 0
      ? []
      : [
          {
            check,
            status: policy.tags_only ? ("bad" as const) : ("warning" as const),
            detail: `no account has a tag that policy.tags names (${policy.tags.join(", ")})${policy.tags_only ? ", so the proxy refuses every turn that names no tags of its own" : ""}`,
            remedy: `run: ${advised("account set", "ALIAS", "--tag", policy.tags[0] ?? "TAG")}, or change policy.tags`,
          },
        ]),
  ];
}

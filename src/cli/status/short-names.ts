// Shortens names in texts about a pool, so that long aliases do not push times off the line. Pure.

import type { StatusAnswer } from "../../core/status-schema.ts";
import { fit, SHORT_NAMES } from "../terminal/fit.ts";

/**
 * What `textsOf` returns for `status`, with names as long as they are if every text then fits into `columns`, and otherwise
 * with names that are cut as in the status table.
 */
export function withShortNames(
  status: StatusAnswer,
  columns: number,
  ellipsis: string,
  textsOf: (status: StatusAnswer) => string[],
): string[] {
  let texts = textsOf(status);
  for (const width of SHORT_NAMES) {
    if (texts.every((text) => Bun.stringWidth(text) <= columns)) return texts;
    texts = textsOf(shortened(status, (name) => fit(name, width, ellipsis)));
  }
  return texts;
}

// --- internal ---

/** `status` with the names of accounts and proxies as `cut` returns them. */
function shortened(status: StatusAnswer, cut: (name: string) => string): StatusAnswer {
  const { waiting, selected_proxy_name: selected } = status;
  return {
    ...status,
    ...(selected === undefined ? {} : { selected_proxy_name: cut(selected) }),
    accounts: status.accounts.map((account) => ({ ...account, alias: cut(account.alias) })),
    switches: status.switches?.map((one) => ({ ...one, from: cut(one.from), to: cut(one.to) })),
    ...(waiting === undefined
      ? {}
      : { waiting: { ...waiting, ...(waiting.account && { account: cut(waiting.account) }) } }),
  };
}

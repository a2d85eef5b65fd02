// Names an account among those of several proxies.

import type { AccountAnswer, StatusAnswer } from "../../core/status-schema.ts";

/** An account in the status document. */
export interface AccountName {
  readonly alias: string;
  /** The child proxy that has the account; undefined: the proxy that was asked. */
  readonly proxyName: string | undefined;
}

/** The name of `account` in the status of the proxy that is called `ownName`. */
export function nameOf(
  { alias, proxy_name }: AccountAnswer,
  { proxy_name: ownName }: StatusAnswer,
): AccountName {
  return { alias, proxyName: proxy_name === "" || proxy_name === ownName ? undefined : proxy_name };
}

/** True if both are the same account. */
export function isNamed(name: AccountName | undefined, other: AccountName | undefined): boolean {
  return name !== undefined && name.alias === other?.alias && name.proxyName === other.proxyName;
}

// What a terminal shows when a proxy or a root has no accounts. Pipes get `no accounts` alone.

import { advised } from "../../advice.ts";

/** The line that names the fact. */
export const NO_ACCOUNTS = "no accounts";

/** The line with the next step. */
export function addAccountStep(): string {
  return `add one with: ${advised("account login", "ALIAS")}`;
}

/** Both lines, with line ends. */
export function noAccountsText(): string {
  return `${NO_ACCOUNTS}\n  ${addAccountStep()}\n`;
}

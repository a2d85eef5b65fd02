// What a command shows when a proxy or a root has no accounts.

import { advised } from "../../advice.ts";
import type { Deps } from "../../deps.ts";
import { print } from "../../print.ts";

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

/** Prints that there are no accounts, and the next step: on stderr if scripts read stdout. */
export function printNoAccounts({ log }: Pick<Deps, "log">, isForPeople: boolean): void {
  if (isForPeople) return print(noAccountsText());
  print(`${NO_ACCOUNTS}\n`);
  log.info(addAccountStep());
}

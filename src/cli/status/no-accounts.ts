// What a command shows when a proxy or a root has no accounts.

import { advised } from "../../advice.ts";
import type { Deps } from "../../deps.ts";
import { print, printMessage } from "../../print.ts";
import { wrappedLines } from "../../wrapped-lines.ts";
import type { TableFrame } from "../terminal/fitted-table.ts";

/** The line that names the fact. */
export const NO_ACCOUNTS = "no accounts";

/** The line with the next step. */
export function addAccountStep(): string {
  return `add one with: ${advised("account login", "ALIAS")}`;
}

/** Both lines, with line ends, for a terminal of `columns`. */
export function noAccountsText(columns: number): string {
  const step = wrappedLines(addAccountStep(), { columns, first: "  " });
  return [NO_ACCOUNTS, ...step].map((line) => `${line}\n`).join("");
}

/** Prints that there are no accounts, and the next step: on stderr if scripts read stdout. */
export function printNoAccounts({ log }: Pick<Deps, "log">, frame: TableFrame | undefined): void {
  if (frame !== undefined) return print(noAccountsText(frame.columns));
  printMessage(NO_ACCOUNTS);
  log.info(addAccountStep());
}

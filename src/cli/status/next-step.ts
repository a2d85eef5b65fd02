// What the user can do about the state of an account.

import { advised } from "../../advice.ts";
import type { ShownState } from "../../core/account-state.ts";

/** The command that changes the state, if the user can do anything about it; nothing for an account that serves. */
export function nextStepOf(
  alias: string,
  { level, command, canServe, isDead, backAtMs }: ShownState,
): string[] {
  if (command !== undefined) return [command];
  if (canServe) return [];
  const enable = advised("account enable", alias);
  if (isDead) return [`after you have fixed the cause: ${enable}`];
  if (level === "off") return [enable];
  if (level === "low") return [`${enable} (ends it now)`];
  // The other accounts are not known here, so the status must say whether they can serve.
  const others = `to see whether other accounts can serve, run: ${advised("status")}`;
  return backAtMs === undefined ? [others] : [`none: the account recovers by itself; ${others}`];
}

// What the user can do about the state of an account.

import { advised } from "../../advice.ts";
import type { ShownState } from "../../core/account-state.ts";

/** The command that changes the state, if the user can do anything about it; nothing for an account that serves. */
export function nextStepOf(alias: string, { level, command, canServe, isDead }: ShownState): string[] {
  if (command !== undefined) return [command];
  if (canServe) return [];
  const enable = advised("account enable", alias);
  if (isDead) return [`after you have fixed the cause: ${enable}`];
  if (level === "off") return [enable];
  return level === "low" ? [`${enable} (ends it now)`] : ["none: other accounts serve until then"];
}

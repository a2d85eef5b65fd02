// The state of a listed account in words for a person.

import { z } from "zod";
import type { ListedAccount } from "../../auth/account-ops.ts";
import { closedState, DRAINING, exhaustedState, READY, type ShownState } from "../../core/account-state.ts";

/** The state of an account as it is listed from store.json. */
export function listedWords(account: ListedAccount, nowMs: number): ShownState {
  const closed = closedState(
    {
      alias: account.alias,
      proxyName: undefined,
      enabled: account.enabled,
      disabledReason: account.disabled_reason,
      cooldownReason: account.codexlb.health?.reason,
      cooldownUntilMs: account.cooldown_until_ms,
    },
    nowMs,
  );
  const limited = closed ?? exhaustedState(listedResets(account, nowMs), nowMs);
  if (limited !== undefined) return limited;
  // A pinned account gets new sessions even while it is draining, and the list does not contain the pin.
  return account.codexlb.draining ? { ...DRAINING, wordings: ["draining"] } : READY;
}

// --- internal ---

/** The main limit in store.json. The Go program does not write it. */
const ListedWindow = z.object({ usedPercent: z.number(), resetAtMs: z.number() }).nullish().catch(undefined);
const ListedLimit = z
  .object({ short: ListedWindow, weekly: ListedWindow, monthly: ListedWindow })
  .catch({ short: undefined, weekly: undefined, monthly: undefined });

/** The resets of the exhausted windows. Use only grows until the reset, so the age of the figures does not matter. */
function listedResets({ codexlb }: ListedAccount, nowMs: number): readonly number[] {
  const { short, weekly, monthly } = ListedLimit.parse(codexlb.main);
  return [short, weekly, monthly].flatMap((window) =>
    window && window.usedPercent >= 100 && window.resetAtMs > nowMs ? [window.resetAtMs] : [],
  );
}

// The state of a listed account in words for a person.

import { z } from "zod";
import type { ListedAccount } from "../../auth/account-ops.ts";
import { listedApiKey } from "../../auth/listed-api-key.ts";
import { optionsIn, windowsAtFloor } from "../../core/account-options.ts";
import {
  AT_FLOOR,
  apiKeyState,
  closedState,
  DRAINING,
  exhaustedState,
  READY,
  type ShownState,
} from "../../core/account-state.ts";
import { optionsOfFields } from "../../core/option-fields.ts";
import { mapWindows, NO_WINDOWS, presentOf } from "../../core/windows.ts";

/** The state of an account as it is listed from store.json. */
export function listedWords(account: ListedAccount, nowMs: number): ShownState {
  const apiKey = listedApiKey(account, nowMs);
  const closed = closedState(
    {
      alias: account.alias,
      proxyName: undefined,
      enabled: account.enabled,
      disabledReason: account.disabled_reason,
      disabledOn: account.codexlb.health?.on,
      hasApiKey: apiKey !== undefined,
      cooldownReason: account.codexlb.health?.reason,
      cooldownUntilMs: account.cooldown_until_ms,
    },
    nowMs,
  );
  const limited = closed ?? exhaustedState(listedResets(account, nowMs), nowMs);
  if (limited !== undefined) return limited;
  // A pinned account gets new sessions even while it is draining, and older proxies do not list the pin.
  if (account.codexlb.draining) return { ...DRAINING, wordings: ["draining"] };
  if (apiKey !== undefined) return apiKeyState(apiKey, nowMs);
  return isAtFloor(account, nowMs) ? AT_FLOOR : READY;
}

// --- internal ---

/** The main limit in store.json. The Go program does not write it. */
const ListedWindow = z.object({ usedPercent: z.number(), resetAtMs: z.number() }).optional().catch(undefined);
const ListedLimit = z
  .object({ short: ListedWindow, weekly: ListedWindow, monthly: ListedWindow })
  .catch(NO_WINDOWS);

/** The windows whose reset is to come. Use only grows until then, so the age of the figures does not matter. */
function listedWindows({ codexlb }: ListedAccount, nowMs: number) {
  const { short, weekly, monthly } = ListedLimit.parse(codexlb.main);
  return mapWindows({ short, weekly, monthly }, (window) => (window.resetAtMs > nowMs ? window : undefined));
}

/** The resets of the exhausted windows. */
function listedResets(account: ListedAccount, nowMs: number): readonly number[] {
  return presentOf(listedWindows(account, nowMs)).flatMap(({ usedPercent, resetAtMs }) =>
    usedPercent >= 100 ? [resetAtMs] : [],
  );
}

function isAtFloor(account: ListedAccount, nowMs: number): boolean {
  const known = listedWindows(account, nowMs);
  const windows = mapWindows(known, ({ usedPercent }, kind) => ({ kind, left: 1 - usedPercent / 100 }));
  return windowsAtFloor(windows, optionsIn(optionsOfFields(account.codexlb.options))).length > 0;
}

// The state of an account as `codexlb account list` prints it.

import type { ListedAccount } from "../../auth/account-ops.ts";
import { listedApiKey } from "../../auth/listed-api-key.ts";
import { hasRoom } from "../../core/status-words.ts";

/**
 * The state in the words and the order of the Go program, whose scripts compare it: `cooldown(Ns)`, `disabled(REASON)`
 * (only `disabled` unless `withReason`), `draining` or `ready`; for an API key `last-resort`, `cap-reached` or `key-refused`.
 */
export function listedState(
  account: ListedAccount,
  nowMs: number,
  { withReason = true }: { readonly withReason?: boolean } = {},
): string {
  const left = account.cooldown_until_ms - nowMs;
  if (left > 0) return `cooldown(${Math.floor(left / 1000) + 1}s)`;
  const why = account.disabled_reason;
  const apiKey = listedApiKey(account, nowMs);
  if (apiKey !== undefined && why === "http-401") return "key-refused";
  if (!account.enabled || why !== "") return why === "" || !withReason ? "disabled" : `disabled(${why})`;
  if (account.codexlb.draining) return "draining";
  if (apiKey === undefined) return "ready";
  return hasRoom(apiKey) ? "last-resort" : "cap-reached";
}

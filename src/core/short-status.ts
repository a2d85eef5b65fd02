// The status document in one line, for prompts and status bars.

import { FULL_REASON } from "./turn-limit.ts";

/** The parts of the status document that the line needs, of this proxy or another one. */
export interface ShortFacts {
  readonly proxy_name: string;
  readonly policy: { readonly mode: string };
  readonly accounts: readonly {
    readonly id: string;
    readonly alias: string;
    readonly proxy_name: string;
    readonly active: boolean;
  }[];
  readonly selected_account_id?: string | undefined;
  readonly selected_proxy_name?: string | undefined;
  readonly selected_proxy_url?: string | undefined;
  readonly selection_reason?: string | undefined;
  /** Only of a replica. */
  readonly cluster?: { readonly degraded_since_ms?: number | undefined } | undefined;
}

/**
 * The line: `lb=<alias> reason=<why> mode=<policy>`; `lb=none reason=none` if no account takes the next turn,
 * `lb=none reason=full` if it waits for a slot on a full account. A replica without the server of its pool adds
 * `degraded_since=<time>`.
 */
export function shortStatus(status: ShortFacts): string {
  const { selection_reason: reason = "", selected_account_id: selectedId } = status;
  // An API key never becomes the active account.
  const isShown = (account: ShortFacts["accounts"][number]) =>
    reason === "last-resort" ? account.id === selectedId : account.active;
  const active = status.accounts.find(
    (account) => isShown(account) && account.proxy_name === status.proxy_name,
  );
  const who = active?.alias ?? status.selected_proxy_name ?? status.selected_proxy_url ?? "none";
  const sinceMs = status.cluster?.degraded_since_ms;
  const degraded = sinceMs === undefined ? "" : ` degraded_since=${new Date(sinceMs).toISOString()}`;
  return `lb=${reason === "" || reason === FULL_REASON ? "none" : who} reason=${reason || "none"} mode=${status.policy.mode || "none"}${degraded}`;
}

// Why no account can serve a `codexlb run`, for the message at its end. Codex only shows its own message about a limit,
// which names neither the tags of the run nor the account that is back first.

import { hasTag, type TagDemand, type TagNeeds } from "../core/account-tags.ts";
import { type Outage, outageOf } from "../core/outage.ts";
import type { RunOutage } from "../core/run-tag.ts";
import { statusDocument } from "../core/status.ts";
import { StatusAnswer } from "../core/status-schema.ts";
import type { Pool } from "../upstream/pool.ts";

/**
 * The outage of the accounts that may serve requests with these tags of their run and their key; undefined if one can
 * serve. A client that must not learn which accounts exist (`readsAccounts` is false) gets no details.
 */
export function runOutage(
  pool: Pick<Pool, "facts" | "view" | "shortage">,
  demands: readonly TagDemand[],
  readsAccounts: boolean,
): RunOutage | undefined {
  const view = pool.view();
  const { requiredTags: required = [] } = pool.shortage(undefined, undefined, demands);
  const status = StatusAnswer.parse(statusDocument(pool.facts(), view));
  const outage = outageAmongTagged(status, required, view.nowMs);
  if (outage === undefined) return undefined;
  return readsAccounts ? { ...outage, ...(required.length === 0 ? {} : { tags: required }) } : {};
}

// --- internal ---

function outageAmongTagged(
  status: StatusAnswer,
  required: TagNeeds["required"],
  nowMs: number,
): Outage | undefined {
  if (required.length === 0) return outageOf(status, nowMs);
  // The accounts of child proxies have no tags here, so they never serve requests that require some.
  const accounts = status.accounts.filter(
    ({ proxy_path, tags = [] }) =>
      proxy_path.length === 0 && required.every((wanted) => hasTag({ tags }, wanted)),
  );
  return outageOf({ ...status, accounts, child_proxies: [] }, nowMs);
}

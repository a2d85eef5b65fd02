// Reports at the end of a run that failed that no account could serve it. Codex only shows its own message about the
// limit, which names neither codexlb nor the first reset.

import { advised } from "../../advice.ts";
import { requiredTagWords } from "../../core/account-tags.ts";
import { outageWords } from "../../core/outage.ts";
import type { RunOutage } from "../../core/run-tag.ts";

/** The report: `no account with the tag work can serve: both accounts have reached a limit; ... See: codexlb status`. */
export function outageReport({ causes, first, tags = [] }: RunOutage, nowMs: number): string {
  // This client must not learn which accounts exist.
  if (causes === undefined) return "no account can serve this run; ask the administrator of the proxy";
  const tagged = tags.length === 0 ? "" : `with the tag ${requiredTagWords(tags)} `;
  return `no account ${tagged}can serve: ${outageWords({ causes, first }, nowMs)}. See: ${advised("status")}`;
}

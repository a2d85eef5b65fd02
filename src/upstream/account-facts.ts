// The facts about an account for the status and its details.

import { identityMarkOf } from "../auth/identity.ts";
import type { Candidate } from "../core/availability.ts";
import type { AccountFacts } from "../core/pool-facts.ts";
import type { AccountRecord } from "../state/account-record.ts";

/**
 * `candidate`: the account under its main limit. `workspace`: the short workspace id to show, if any. `sessions`: the
 * number of sessions that stay with the account.
 */
export function accountFacts(
  record: AccountRecord,
  candidate: Candidate,
  workspace: string | undefined,
  sessions: number,
): AccountFacts {
  return {
    id: record.id,
    alias: record.alias,
    email: record.email,
    workspace,
    identity: identityMarkOf(record),
    health: record.health,
    quota: record.quota,
    candidate,
    resetCredits: record.resetCredits,
    billing: record.billing,
    lastUsedMs: record.lastUsedMs,
    lastSwitchReason: record.lastSwitchReason,
    sessions,
  };
}

// An account as the status and its details show it.

import { identityMarkOf } from "../auth/identity.ts";
import type { AccountFacts } from "../core/pool-facts.ts";
import type { Standing } from "../core/standing.ts";
import type { AccountRecord } from "../state/account-record.ts";

/** `workspace`: the short workspace id to show, if any. */
export function accountFacts(
  record: AccountRecord,
  standing: Standing,
  workspace: string | undefined,
): AccountFacts {
  return {
    id: record.id,
    alias: record.alias,
    email: record.email,
    workspace,
    identity: identityMarkOf(record),
    health: record.health,
    draining: record.draining,
    quota: record.quota,
    standing,
    ramp: record.ramp,
    lastUsedMs: record.lastUsedMs,
    lastSwitchReason: record.lastSwitchReason,
    inFlight: record.inFlight,
  };
}

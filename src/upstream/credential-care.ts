// Maintains credentials in the background: renews them before they expire, writes tokens that could not be written
// earlier, returns accounts to service whose login was repaired on disk, and enrols new homes.

import type { Credentials } from "../auth/auth-file.ts";
import { authFileOf, readCredentials } from "../auth/homes.ts";
import { adoptIdentity, loginMarkOf, nameOf } from "../auth/identity.ts";
import type { RefreshLane } from "../auth/refresh.ts";
import { MISSING_AUTH, waitsForCredentials } from "../core/health.ts";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import type { AccountRecord } from "../state/account-record.ts";
import type { EventLog } from "../state/events.ts";
import { signatureOf } from "../state/file-signature.ts";
import type { Store } from "../state/store.ts";
import type { Pool } from "./pool.ts";
import { createRepeatedJob } from "./repeated-job.ts";

export interface CredentialCare {
  start(): void;
  /** Writes pending tokens, and stops. */
  stop(): void;
}

export interface CredentialCareContext {
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly store: Store;
  readonly pool: Pool;
  readonly lane: RefreshLane;
  readonly events: EventLog;
  /** Adds and removes accounts according to the directories, if these have changed. */
  readonly enrol: () => void;
}

/** Time between two checks. */
const TICK_MS = 5_000;
/** Renewals in one check, one after the other. Bursts of renewals have invalidated the logins of other accounts. */
const AT_ONCE = 4;
/** Pause after a failed renewal. The account still works while its token is valid. */
const RETRY_MS = 60_000;

export function createCredentialCare(context: CredentialCareContext): CredentialCare {
  const { clock } = context.deps;
  const retryMs = new Map<string, number>();
  /** The signature of the auth.json at the last check, by account. */
  const seen = new Map<string, string>();

  const renewDue = async (): Promise<void> => {
    let begun = 0;
    for (const record of context.store.state.accounts) {
      if (job.isStopped() || begun >= AT_ONCE) return;
      if (record.health.kind === "disabled" || (retryMs.get(record.id) ?? 0) > clock.monotonic()) continue;
      const outcome = await renewAhead(context, record);
      if (outcome !== "not_due") begun++;
      if (outcome === "failed") retryMs.set(record.id, clock.monotonic() + RETRY_MS);
      else retryMs.delete(record.id);
    }
  };

  const check = async (): Promise<void> => {
    context.lane.save();
    context.enrol();
    for (const record of context.store.state.accounts) checkAuthFile({ ...context, seen }, record);
    await renewDue();
  };

  const job = createRepeatedJob({
    clock,
    everyMs: TICK_MS,
    run: check,
    // The disk may be full or broken. Requests are still served, and the next check may succeed.
    failed: (error) => context.deps.log.warn(`checking the accounts' credentials: ${messageOf(error)}`),
  });

  return {
    start: job.start,
    stop: () => {
      job.stop();
      context.lane.save();
    },
  };
}

// --- internal ---

async function renewAhead(
  { pool, events, deps }: CredentialCareContext,
  record: AccountRecord,
): Promise<"not_due" | "done" | "failed"> {
  const renewal = await pool.accountOf(record.id)?.renewAhead();
  if (renewal === undefined) return "not_due";
  switch (renewal.kind) {
    case "renewed":
      events.append("account.auth_refreshed", { account_id: record.id, mode: "ahead" });
      return "done";
    case "dead":
      pool.disable(record.id, renewal.reason);
      return "done";
    case "failed":
      events.append("account.auth_refresh_failed", { account_id: record.id, error: renewal.why });
      deps.log.warn(`renewing the login of ${record.alias}: ${renewal.why}; codexlb tries again`);
      return "failed";
    default:
      return renewal satisfies never;
  }
}

/**
 * Checks an account's auth.json if the file has changed since the last check. Disables the account if the file cannot
 * be read, and uses another login from now on. Returns an account that waits for credentials to service, unless the
 * file still has the login that it was disabled with.
 */
function checkAuthFile(
  { pool, events, deps, seen }: CredentialCareContext & { readonly seen: Map<string, string> },
  record: AccountRecord,
): void {
  const signature = signatureOf(authFileOf(record.homeDir));
  // A file that was missing may be moved back unchanged.
  const missing = record.health.kind === "disabled" && record.health.reason === MISSING_AUTH;
  if (seen.get(record.id) === signature && !missing) return;
  seen.set(record.id, signature);
  let credentials: Credentials;
  try {
    credentials = readCredentials(record.homeDir);
  } catch (error) {
    if (record.health.kind !== "disabled") deps.log.warn(`account ${record.alias}: ${messageOf(error)}`);
    pool.disable(record.id, MISSING_AUTH);
    return;
  }
  const mark = loginMarkOf(credentials);
  if (mark !== record.loginMark) {
    adoptIdentity(record, credentials);
    pool.accountOf(record.id)?.forget();
    events.append("account.auth_refreshed", { account_id: record.id, mode: "guarded-reload" });
    deps.log.info(`account ${record.alias} now uses another login: ${nameOf(record)}`);
  }
  if (!waitsForCredentials(record.health) || mark === record.deadLoginMark) return;
  pool.accountOf(record.id)?.forget();
  pool.note(record.id, { kind: "renewed" });
  events.append("account.auth_refreshed", { account_id: record.id, mode: "guarded-reload" });
  deps.log.info(`account ${record.alias} is back in service`);
}

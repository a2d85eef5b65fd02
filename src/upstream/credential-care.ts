// Looks after credentials in the background: they are renewed before they run out, tokens that the disk did not
// take are written, an account whose login was put right on disk comes back, and homes that appear are enrolled.

import { statSync } from "node:fs";
import type { Credentials } from "../auth/auth-file.ts";
import { authFileOf, readCredentials } from "../auth/homes.ts";
import { adoptIdentity, loginMarkOf, nameOf } from "../auth/identity.ts";
import type { RefreshLane } from "../auth/refresh.ts";
import { MISSING_AUTH, waitsForCredentials } from "../core/health.ts";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import type { AccountRecord } from "../state/account-record.ts";
import type { EventLog } from "../state/events.ts";
import type { Store } from "../state/store.ts";
import type { Pool } from "./pool.ts";

export interface CredentialCare {
  start(): void;
  /** Writes what is not written yet, and looks no more. */
  stop(): void;
}

export interface CredentialCareContext {
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly store: Store;
  readonly pool: Pool;
  readonly lane: RefreshLane;
  readonly events: EventLog;
  /** Puts the accounts in line with the directories, if these are others than before. */
  readonly enrol: () => void;
}

/** How often it is looked. */
const TICK_MS = 5_000;
/** Renewals begun in one look, one after the other: bursts of them have ended logins of other accounts. */
const AT_ONCE = 4;
/** An account whose renewal failed is left alone for this long; while its token holds, nothing is lost. */
const RETRY_MS = 60_000;

export function createCredentialCare(context: CredentialCareContext): CredentialCare {
  const { clock } = context.deps;
  const retryMs = new Map<string, number>();
  /** The auth.json that was looked at last, by account. */
  const seen = new Map<string, string>();
  let cancel: (() => void) | undefined;
  let stopped = false;

  const renewDue = async (): Promise<void> => {
    let begun = 0;
    for (const record of context.store.state.accounts) {
      if (stopped || begun >= AT_ONCE) return;
      if (record.health.kind === "disabled" || (retryMs.get(record.id) ?? 0) > clock.monotonic()) continue;
      const outcome = await renewAhead(context, record);
      if (outcome !== "not_due") begun++;
      if (outcome === "failed") retryMs.set(record.id, clock.monotonic() + RETRY_MS);
      else retryMs.delete(record.id);
    }
  };

  const look = async (): Promise<void> => {
    try {
      context.lane.save();
      context.enrol();
      for (const record of context.store.state.accounts) lookAtFile({ ...context, seen }, record);
      await renewDue();
    } catch (error) {
      // The disk may be in trouble. Requests are still served, and the next look may succeed.
      context.deps.log.warn(`looking after the accounts: ${messageOf(error)}`);
    }
    if (!stopped) cancel = clock.after(TICK_MS, () => void look());
  };

  return {
    start: () => void look(),
    stop: () => {
      stopped = true;
      cancel?.();
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
      deps.log.warn(`renewing the login of ${record.alias}: ${renewal.why}; it is tried again`);
      return "failed";
    default:
      return renewal satisfies never;
  }
}

/**
 * Looks at an account's auth.json when it is another file than at the last look. What cannot be read takes the account
 * out of service, another login is used from now on, and one that waited for credentials is back, unless it is the
 * login that it was disabled with.
 */
function lookAtFile(
  { pool, events, deps, seen }: CredentialCareContext & { readonly seen: Map<string, string> },
  record: AccountRecord,
): void {
  const signature = signatureOf(authFileOf(record.homeDir));
  // A file that could not be read may be moved back as it was.
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
    deps.log.info(`account ${record.alias} has another login now: ${nameOf(record)}`);
  }
  if (!waitsForCredentials(record.health) || mark === record.deadLoginMark) return;
  pool.accountOf(record.id)?.forget();
  pool.note(record.id, { kind: "renewed" });
  events.append("account.auth_refreshed", { account_id: record.id, mode: "guarded-reload" });
  deps.log.info(`account ${record.alias} can be used again`);
}

/** Changes with the file: what it is, when it was written, how long it is. */
function signatureOf(path: string): string {
  try {
    const { ino, mtimeMs, size } = statSync(path);
    return `${ino} ${mtimeMs} ${size}`;
  } catch {
    return "none";
  }
}

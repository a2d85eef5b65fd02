// What came of the uses of an account, written into its record: health, figures, counters, the session's binding.

import { type HealthEvent, MISSING_AUTH, transition } from "../core/health.ts";
import type { Candidate, ChoiceReason } from "../core/policy.ts";
import {
  exhaustedUntilMs,
  hasRoom,
  mergeQuota,
  type Quota,
  type QuotaEvidence,
  type QuotaView,
  type QuotaWindow,
  UNKNOWN_QUOTA,
} from "../core/quota.ts";
import type { Verdict } from "../core/verdict.ts";
import type { Deps } from "../deps.ts";
import type { EventFields, EventLog } from "../state/events.ts";
import type { AccountRecord, Store } from "../state/store.ts";
import type { Affinity } from "./affinity.ts";

/** The use that a verdict is about. */
export interface Use {
  readonly session: string | undefined;
  /** Why this account was chosen for it. */
  readonly reason: ChoiceReason;
  readonly startedMs: number;
  /** It was a turn, which counts as a message. */
  readonly turn: boolean;
  /** Go into the events. */
  readonly fields: EventFields;
}

export interface Ledger {
  settle(record: AccountRecord, verdict: Verdict, use: Use): void;
  /** Merges figures; evidence of room ends a limit that it is newer than. */
  learn(record: AccountRecord, evidence: QuotaEvidence): void;
  /** Applies a health event from outside of any use. */
  note(record: AccountRecord, event: HealthEvent): void;
  /** Takes an account out of service, once, and says so to the operator and in the event log. */
  disable(record: AccountRecord, reason: string, fields: EventFields): void;
}

/** How long a limit is believed that names no reset and whose account has no figures: then it is tried again. */
const LIMIT_WITHOUT_RESET_MS = 60_000;

export interface LedgerContext {
  readonly deps: Pick<Deps, "log">;
  readonly store: Store;
  readonly affinity: Affinity;
  readonly events: EventLog;
  readonly view: () => QuotaView;
  /** How choosing sees an account now. */
  readonly stateOf: (record: AccountRecord) => Candidate;
}

export function createLedger({
  deps: { log },
  store,
  affinity,
  events,
  view,
  stateOf,
}: LedgerContext): Ledger {
  const { state } = store;

  const note = (record: AccountRecord, event: HealthEvent): boolean => {
    const before = record.health;
    record.health = transition(before, event);
    if (record.health === before) return false;
    store.touch();
    return true;
  };

  const cool = (
    record: AccountRecord,
    how: Pick<HealthEvent & { kind: "cool" }, "cause" | "reason" | "untilMs">,
    fields: EventFields,
  ): void => {
    const { nowMs } = view();
    record.lastSwitchReason = how.reason;
    note(record, { kind: "cool", atMs: nowMs, ...how });
    const cooldown_seconds = Math.max(1, Math.ceil((how.untilMs - nowMs) / 1000));
    events.append("account.cooldown", {
      ...fields,
      account_id: record.id,
      reason: how.reason,
      cooldown_seconds,
    });
  };

  const disable = (record: AccountRecord, reason: string, fields: EventFields): void => {
    if (!note(record, { kind: "disable", reason, atMs: view().nowMs })) return;
    record.lastSwitchReason = reason;
    // A file that could not be read may come back as it was.
    record.deadLoginMark = reason === MISSING_AUTH ? undefined : record.loginMark;
    log.warn(
      `account ${record.alias} is disabled: ${reason}; log in again with: codexlb account login ${record.alias}`,
    );
    events.append("account.disabled", { ...fields, account_id: record.id, reason });
  };

  const served = (record: AccountRecord, use: Use): void => {
    const { nowMs } = view();
    // A catalogue that was served says nothing about turns.
    if (use.turn) note(record, { kind: "served", startedMs: use.startedMs });
    record.lastUsedMs = nowMs;
    record.lastSwitchReason = use.reason;
    if (use.turn) state.messageCounter++;
    // A session on its own account, or a makeshift, says nothing about which account is the active one.
    if (use.reason !== "affinity" && use.reason !== "least-bad" && state.activeId !== record.id) {
      state.activeId = record.id;
      state.lastRotationMs = nowMs;
    }
    if (use.turn && use.session !== undefined && mayBind(use.session, record.id))
      affinity.bind(use.session, record.id);
    store.touch();
  };

  /** A detour around a resting account does not move a session; what lasts, and a pin, does. */
  const mayBind = (session: string, id: string): boolean => {
    const ownerId = affinity.get(session);
    const owner = state.accounts.find((account) => account.id === ownerId);
    if (owner === undefined || ownerId === id || state.pinnedId === id) return true;
    const candidate = stateOf(owner);
    return candidate.state === "out" || candidate.exhausted;
  };

  return {
    settle: (record, verdict, use) => {
      const { nowMs } = view();
      switch (verdict.kind) {
        case "ok":
          served(record, use);
          break;
        case "limit": {
          // A reset that is over already cannot be the one that the refusal is about.
          const told = verdict.untilMs !== undefined && verdict.untilMs > nowMs ? verdict.untilMs : undefined;
          if (told !== undefined)
            record.quota = mergeQuota(record.quota, usedUpUntil(record.quota, told, nowMs));
          const untilMs = told ?? exhaustedUntilMs(record.quota, view()) ?? nowMs + LIMIT_WITHOUT_RESET_MS;
          cool(record, { cause: "limit", reason: "usage-limit", untilMs }, use.fields);
          break;
        }
        case "cool": {
          const untilMs = nowMs + Math.max(1, verdict.forMs);
          cool(record, { cause: "fault", reason: verdict.reason, untilMs }, use.fields);
          break;
        }
        case "disable":
          disable(record, verdict.reason, use.fields);
          break;
        case "client":
        case "elsewhere":
        case "renew":
        case "foreign_ciphertext":
          break; // says nothing about the account's health
        default:
          verdict satisfies never;
      }
    },
    learn: (record, evidence) => {
      record.quota = mergeQuota(record.quota, evidence);
      if (hasRoom(record.quota, view())) note(record, { kind: "room", asOfMs: newestOf(evidence) });
      store.touch();
    },
    note,
    disable,
  };
}

// --- internal ---

/** Two times of one reset, told by different sources, lie this close together. */
const SAME_RESET_MS = 120_000;

/**
 * A limit error as evidence: the window that resets at `untilMs` is used up. It is the one known to reset then, else
 * the short one when the reset is no further away than that window is long.
 */
function usedUpUntil({ main }: Quota, untilMs: number, nowMs: number): Quota {
  const isNear = (window: QuotaWindow | undefined) =>
    window?.resetAtMs !== undefined && Math.abs(window.resetAtMs - untilMs) <= SAME_RESET_MS;
  const isShort = isNear(main.primary) || (!isNear(main.secondary) && untilMs - nowMs <= SHORT_WINDOW_MS);
  const known = isShort ? main.primary : main.secondary;
  const window: QuotaWindow = {
    usedPercent: 100,
    resetAtMs: untilMs,
    windowSeconds: known?.windowSeconds,
    asOfMs: nowMs,
    source: "limit_error",
  };
  const told = isShort ? { primary: window } : { secondary: window };
  return { ...UNKNOWN_QUOTA, main: { ...UNKNOWN_QUOTA.main, ...told } };
}

const SHORT_WINDOW_MS = 5 * 3_600_000;

function newestOf(evidence: QuotaEvidence): number {
  const { primary, secondary } = evidence.main;
  return Math.max(primary?.asOfMs ?? 0, secondary?.asOfMs ?? 0);
}

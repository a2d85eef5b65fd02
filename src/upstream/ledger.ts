// What came of the uses of an upstream, written into its record: health, figures, counters, the session's binding.

import { backoffMs, type HealthEvent, transition } from "../core/health.ts";
import type { Candidate, ChoiceReason } from "../core/policy.ts";
import {
  exhausted,
  exhaustedUntilMs,
  hasRoom,
  mergeQuota,
  newestFigureMs,
  type Quota,
  type QuotaEvidence,
  type QuotaView,
  type QuotaWindow,
  UNKNOWN_QUOTA,
} from "../core/quota.ts";
import type { Verdict } from "../core/verdict.ts";
import type { Deps } from "../deps.ts";
import type { EventFields, EventLog } from "../state/events.ts";
import type { Store } from "../state/store.ts";
import type { Affinity } from "./affinity.ts";
import type { LiveState, Upstream } from "./upstream.ts";

/** What is written into, and what it belongs to. */
export interface Booked {
  readonly record: LiveState;
  readonly upstream: Upstream;
}

/** The use that a verdict is about. */
export interface Use {
  readonly session: string | undefined;
  /** The client had pinned it to an account by itself. */
  readonly pinned: boolean;
  /** Why this account was chosen for it. */
  readonly reason: ChoiceReason;
  readonly startedMs: number;
  /** It was a turn, which counts as a message. */
  readonly turn: boolean;
  /** Its history holds what only this account can decrypt. */
  readonly held: boolean;
  /** Go into the events. */
  readonly fields: EventFields;
}

export interface Ledger {
  settle(booked: Booked, verdict: Verdict, use: Use): void;
  /** Merges figures; evidence of room ends a limit that it is newer than. */
  learn(record: LiveState, evidence: QuotaEvidence): void;
  /** Applies a health event from outside of any use. */
  note(record: LiveState, event: HealthEvent): void;
  /** Takes it out of service, once, and says so to the operator and in the event log. */
  disable(booked: Booked, reason: string, fields: EventFields): void;
}

/** How long a limit is believed that names no reset and whose account has no figures: then it is tried again. */
const LIMIT_WITHOUT_RESET_MS = 60_000;

export interface LedgerContext {
  readonly deps: Pick<Deps, "log" | "random">;
  readonly store: Store;
  readonly affinity: Affinity;
  readonly events: EventLog;
  readonly view: () => QuotaView;
  /** How choosing sees an upstream now; undefined when it is gone. */
  readonly stateOf: (id: string) => Candidate | undefined;
}

export function createLedger({
  deps: { log, random },
  store,
  affinity,
  events,
  view,
  stateOf,
}: LedgerContext): Ledger {
  const { state } = store;

  const note = (record: LiveState, event: HealthEvent): boolean => {
    const before = record.health;
    record.health = transition(before, event);
    if (record.health === before) return false;
    store.touch();
    return true;
  };

  const cool = (
    { record, upstream }: Booked,
    how: Pick<HealthEvent & { kind: "cool" }, "cause" | "reason" | "untilMs">,
    fields: EventFields,
  ): void => {
    const { nowMs } = view();
    record.lastSwitchReason = how.reason;
    note(record, { kind: "cool", atMs: nowMs, ...how });
    const cooldown_seconds = Math.max(1, Math.ceil((how.untilMs - nowMs) / 1000));
    events.append(`${upstream.kind}.cooldown`, {
      ...fields,
      ...upstream.named,
      reason: how.reason,
      cooldown_seconds,
    });
  };

  const disable = ({ record, upstream }: Booked, reason: string, fields: EventFields): void => {
    if (!note(record, { kind: "disable", reason, atMs: view().nowMs })) return;
    record.lastSwitchReason = reason;
    log.warn(`${upstream.kind} ${upstream.label} is disabled: ${reason}; ${upstream.retired(reason)}`);
    events.append(`${upstream.kind}.disabled`, { ...fields, ...upstream.named, reason });
  };

  const served = (record: LiveState, use: Use): void => {
    const { nowMs } = view();
    record.lastUsedMs = nowMs;
    record.lastSwitchReason = use.reason;
    store.touch();
    // A catalogue that was served says nothing about turns.
    if (!use.turn) return;
    note(record, { kind: "served", startedMs: use.startedMs });
    state.messageCounter++;
    record.unheardTurns++;
    // A session on its own account, a makeshift, or one client's pin say nothing of which account is the active one.
    const isChoice = use.reason !== "affinity" && use.reason !== "least-bad" && !use.pinned;
    if (isChoice && state.activeId !== record.id) {
      state.activeId = record.id;
      state.lastRotationMs = nowMs;
    }
    if (use.session === undefined) return;
    const binding = affinity.get(use.session);
    // What only one account can read stays so, on that account.
    const held = use.held || (binding?.held === true && binding.upstreamId === record.id);
    if (held || mayBind(binding?.upstreamId, record.id)) affinity.bind(use.session, record.id, held);
  };

  /** A detour around a resting account does not move a session; what lasts, and a pin, does. */
  const mayBind = (ownerId: string | undefined, id: string): boolean => {
    const candidate = ownerId === undefined ? undefined : stateOf(ownerId);
    if (candidate === undefined || ownerId === id || state.pinnedId === id) return true;
    return candidate.state === "limited" || candidate.state === "disabled" || candidate.exhausted;
  };

  const limited = (booked: Booked, verdict: Verdict & { kind: "limit" }, fields: EventFields): void => {
    const { record } = booked;
    const { nowMs } = view();
    // A reset that is over already cannot be the one that the refusal is about.
    const told = verdict.untilMs !== undefined && verdict.untilMs > nowMs ? verdict.untilMs : undefined;
    if (told !== undefined)
      record.quota = mergeQuota(record.quota, usedUpUntil(record.quota, verdict.limitId, told, nowMs));
    // The limit of a feature does not keep the account from all others; that it is used up puts it last.
    if (told !== undefined && verdict.limitId !== undefined) return store.touch();
    const untilMs = told ?? exhaustedUntilMs(record.quota, view()) ?? nowMs + LIMIT_WITHOUT_RESET_MS;
    cool(booked, { cause: "limit", reason: "usage-limit", untilMs }, fields);
  };

  return {
    settle: (booked, verdict, use) => {
      const { record } = booked;
      const { nowMs } = view();
      switch (verdict.kind) {
        case "ok":
          served(record, use);
          break;
        case "limit":
          limited(booked, verdict, use.fields);
          break;
        case "cool": {
          const forMs = verdict.told
            ? verdict.forMs
            : backoffMs(record.health, verdict.forMs, nowMs, (random(1)[0] ?? 0) / 255);
          const untilMs = nowMs + Math.max(1, forMs);
          cool(booked, { cause: "fault", reason: verdict.reason, untilMs }, use.fields);
          break;
        }
        case "disable":
          disable(booked, verdict.reason, use.fields);
          break;
        case "open":
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
      const { quota } = record;
      record.quota = mergeQuota(quota, evidence);
      if (evidence.main.primary !== undefined && evidence.main.secondary !== undefined)
        record.unheardTurns = 0;
      const asOfMs = newestFigureMs(evidence);
      if (hasRoom(record.quota, view())) note(record, { kind: "room", asOfMs });
      else if (exhausted(record.quota, view())) {
        const fromMs = exhaustedUntilMs(record.quota, view());
        if (fromMs !== undefined) note(record, { kind: "room", asOfMs, fromMs });
      }
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
function usedUpUntil(quota: Quota, limitId: string | undefined, untilMs: number, nowMs: number): Quota {
  const limit = limitId === undefined ? quota.main : quota.additional.find(({ id }) => id === limitId);
  const isNear = (window: QuotaWindow | undefined) =>
    window?.resetAtMs !== undefined && Math.abs(window.resetAtMs - untilMs) <= SAME_RESET_MS;
  const isShort = isNear(limit?.primary) || (!isNear(limit?.secondary) && untilMs - nowMs <= SHORT_WINDOW_MS);
  const known = isShort ? limit?.primary : limit?.secondary;
  const window: QuotaWindow = {
    usedPercent: 100,
    resetAtMs: untilMs,
    windowSeconds: known?.windowSeconds,
    asOfMs: nowMs,
    source: "limit_error",
  };
  const told = { primary: isShort ? window : undefined, secondary: isShort ? undefined : window };
  if (limitId === undefined) return { ...UNKNOWN_QUOTA, main: { ...UNKNOWN_QUOTA.main, ...told } };
  return { ...UNKNOWN_QUOTA, additional: [{ id: limitId, name: limit?.name, ...told }] };
}

const SHORT_WINDOW_MS = 5 * 3_600_000;

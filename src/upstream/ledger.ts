// What came of the uses of an upstream, written into its record: health, figures, counters, the session's binding.

import { backoffMs, type HealthEvent, transition } from "../core/health.ts";
import { limitFor } from "../core/meters.ts";
import type { Candidate, ChoiceReason } from "../core/policy.ts";
import {
  canServe,
  exhaustedUntilMs,
  isExhausted,
  type LimitQuota,
  MAIN_LIMIT_ID,
  mergeQuota,
  newestFigureMs,
  type Quota,
  type QuotaEvidence,
  type QuotaView,
  type QuotaWindow,
  UNKNOWN_QUOTA,
  unknownLimit,
} from "../core/quota.ts";
import { hasSpendableCredits, UNKNOWN_SPENDING } from "../core/spending.ts";
import type { Verdict } from "../core/verdict.ts";
import { NO_WINDOWS, USUAL_SECONDS, WINDOW_KINDS, type WindowKind } from "../core/windows.ts";
import type { Deps } from "../deps.ts";
import type { EventFields, EventLog } from "../state/events.ts";
import type { Store } from "../state/store.ts";
import type { Affinity } from "./affinity.ts";
import type { RefusedLimits } from "./refused-limits.ts";
import type { LiveState, Upstream } from "./upstream.ts";

/** What is written into, and what it belongs to. */
export interface Booked {
  readonly record: LiveState;
  readonly upstream: Upstream;
}

/** The use that a verdict is about. */
export interface Use {
  readonly session: string | undefined;
  /** The requested model, if known. */
  readonly model: string | undefined;
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
  readonly useCredits: () => boolean;
  readonly refusedLimits: RefusedLimits;
  /** The upstream's current candidate for `model`; undefined if the upstream is gone. */
  readonly stateOf: (id: string, model: string | undefined) => Candidate | undefined;
}

export function createLedger({
  deps: { log, random },
  store,
  affinity,
  events,
  view,
  useCredits,
  refusedLimits,
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
    if (held || mayBind(binding?.upstreamId, record.id, use.model))
      affinity.bind(use.session, record.id, held);
  };

  /** A detour around a cooling account does not move a session. Lasting causes and pins do. */
  const mayBind = (ownerId: string | undefined, id: string, model: string | undefined): boolean => {
    const candidate = ownerId === undefined ? undefined : stateOf(ownerId, model);
    if (candidate === undefined || ownerId === id || state.pinnedId === id) return true;
    return candidate.state === "limited" || candidate.state === "disabled" || candidate.exhausted;
  };

  const limited = (booked: Booked, verdict: Verdict & { kind: "limit" }, use: Use): void => {
    const { record } = booked;
    const { nowMs } = view();
    const limit =
      limitNamed(record.quota, verdict.limitId) ?? limitFor(record.quota, use.model, refusedLimits.of);
    // A reset that is over already cannot be the one that the refusal is about.
    const resetMs = verdict.untilMs !== undefined && verdict.untilMs > nowMs ? verdict.untilMs : undefined;
    if (hasSpendableCredits(record.quota.spending, view()) && isExhausted(record.quota, limit, view()))
      record.quota = mergeQuota(
        record.quota,
        creditsRefused(resetMs ?? nowMs + LIMIT_WITHOUT_RESET_MS, nowMs),
      );
    if (resetMs !== undefined)
      record.quota = mergeQuota(record.quota, exhaustedEvidence(limit, resetMs, nowMs));
    const known = limitNamed(record.quota, limit.id) ?? limit;
    const untilMs =
      resetMs ?? exhaustedUntilMs(record.quota, known, view()) ?? nowMs + LIMIT_WITHOUT_RESET_MS;
    if (use.model !== undefined && verdict.limitId !== undefined)
      refusedLimits.note(use.model, verdict.limitId, untilMs);
    if (limit.id === MAIN_LIMIT_ID)
      return cool(booked, { cause: "limit", reason: "usage-limit", untilMs }, use.fields);
    // A limit of some models does not stop the account from serving the others.
    refuse(booked, limit, { sinceMs: nowMs, untilMs }, use.fields);
  };

  const refuse = (
    { record, upstream }: Booked,
    limit: LimitQuota,
    refusal: LimitQuota["refusal"] & {},
    fields: EventFields,
  ): void => {
    record.lastSwitchReason = "usage-limit";
    const evidence = { ...unknownLimit(limit.id, limit.name), refusal };
    record.quota = mergeQuota(record.quota, { ...UNKNOWN_QUOTA, additional: [evidence] });
    store.touch();
    events.append(`${upstream.kind}.cooldown`, {
      ...fields,
      ...upstream.named,
      reason: "usage-limit",
      limit_id: limit.id,
      cooldown_seconds: Math.max(1, Math.ceil((refusal.untilMs - refusal.sinceMs) / 1000)),
    });
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
          limited(booked, verdict, use);
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
      const merged = mergeQuota(record.quota, evidence);
      record.quota = withoutEndedRefusals(merged, evidence, view());
      if (evidence.main.completeAsOfMs > 0) record.unheardTurns = 0;
      const { quota } = record;
      const isOut = isExhausted(quota, quota.main, view());
      const figuresMs = newestFigureMs(evidence.main);
      const creditsMs = evidence.spending.credits?.asOfMs ?? 0;
      const asOfMs = isOut ? Math.max(figuresMs, creditsMs) : figuresMs;
      if (newestFigureMs(quota.main) > 0 && canServe(quota, quota.main, view(), useCredits()))
        note(record, { kind: "room", asOfMs });
      else {
        const fromMs = exhaustedUntilMs(quota, quota.main, view());
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

/** The limit of `quota` with this id, or a new unknown one; undefined without an id. */
function limitNamed(quota: Quota, id: string | undefined): LimitQuota | undefined {
  if (id === undefined) return undefined;
  if (id === MAIN_LIMIT_ID) return quota.main;
  return quota.additional.find((limit) => limit.id === id) ?? unknownLimit(id);
}

/**
 * A limit error as evidence that the window that resets at `untilMs` is exhausted. That is the window known to reset
 * then, else the shortest possible one that includes the reset.
 */
function exhaustedEvidence(limit: LimitQuota, untilMs: number, nowMs: number): Quota {
  const isNear = (kind: WindowKind) => {
    const resetAtMs = limit.windows[kind]?.resetAtMs;
    return resetAtMs !== undefined && Math.abs(resetAtMs - untilMs) <= SAME_RESET_MS;
  };
  const lengthMs = (kind: WindowKind) => (limit.windows[kind]?.windowSeconds ?? USUAL_SECONDS[kind]) * 1000;
  const possible = WINDOW_KINDS.filter(
    (kind) => limit.completeAsOfMs === 0 || limit.windows[kind] !== undefined,
  );
  const kind =
    possible.find(isNear) ??
    possible.find((one) => untilMs - nowMs <= lengthMs(one) + SAME_RESET_MS) ??
    possible.at(-1);
  // The limit has no windows, so the refusal cannot be about one.
  if (kind === undefined) return UNKNOWN_QUOTA;
  const window: QuotaWindow = {
    usedPercent: 100,
    resetAtMs: untilMs,
    windowSeconds: limit.windows[kind]?.windowSeconds,
    asOfMs: nowMs,
    source: "limit_error",
  };
  const evidence = { ...unknownLimit(limit.id, limit.name), windows: { ...NO_WINDOWS, [kind]: window } };
  return limit.id === MAIN_LIMIT_ID
    ? { ...UNKNOWN_QUOTA, main: evidence }
    : { ...UNKNOWN_QUOTA, additional: [evidence] };
}

/** A refusal despite credits: the credits do not count until `untilMs`. */
function creditsRefused(untilMs: number, nowMs: number): Quota {
  return {
    ...UNKNOWN_QUOTA,
    spending: { ...UNKNOWN_SPENDING, creditsRefused: { value: untilMs, asOfMs: nowMs } },
  };
}

/** `quota` without the refusals that newer figures in `evidence` contradict. */
function withoutEndedRefusals(quota: Quota, evidence: QuotaEvidence, view: QuotaView): Quota {
  const hasEnded = ({ id, refusal }: LimitQuota): boolean => {
    const heard = evidence.additional.find((limit) => limit.id === id);
    if (refusal === undefined || heard === undefined) return false;
    return newestFigureMs(heard) > refusal.sinceMs && !isExhausted(quota, heard, view);
  };
  if (!quota.additional.some(hasEnded)) return quota;
  return {
    ...quota,
    additional: quota.additional.map((limit) => (hasEnded(limit) ? { ...limit, refusal: undefined } : limit)),
  };
}

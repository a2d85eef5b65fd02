// Records the results of requests: in the upstream's record, the counters, the session's binding and the event log.

import type { Candidate } from "../core/availability.ts";
import { FLOOR_REASON } from "../core/capacity.ts";
import { durationText } from "../core/duration-text.ts";
import { backoffMs, disabledText, type HealthEvent } from "../core/health.ts";
import { chance } from "../core/jitter.ts";
import { creditsRefused, exhaustedEvidence, limitNamed, refusedEvidence } from "../core/limit-evidence.ts";
import { limitFor } from "../core/meters.ts";
import type { ChoiceReason } from "../core/policy.ts";
import {
  exhaustedUntilMs,
  isExhausted,
  type LimitQuota,
  MAIN_LIMIT_ID,
  newestFigureMs,
  type QuotaEvidence,
  type QuotaView,
  type Refusal,
} from "../core/quota.ts";
import { exhaustedWindow } from "../core/quota-summary.ts";
import { limitWords } from "../core/reason-words.ts";
import { hasSpendableCredits } from "../core/spending.ts";
import { FIELD_NAMES } from "../core/status-quota.ts";
import type { Verdict } from "../core/verdict.ts";
import type { Deps } from "../deps.ts";
import type { UpstreamRecord } from "../state/account-record.ts";
import type { EventFields, EventLog } from "../state/events.ts";
import { changeHealth, countServed, countTurn, noteSwitch } from "../state/record-changes.ts";
import { learn, learnRefusal } from "../state/record-figures.ts";
import type { Store } from "../state/store.ts";
import type { Affinity } from "./affinity.ts";
import { evidenceOf, type PoolObserver } from "./pool-observer.ts";
import type { RefusedLimits } from "./refused-limits.ts";
import type { Switches } from "./switches.ts";
import type { Upstream } from "./upstream.ts";

/** An upstream with its record. */
export interface LedgerEntry {
  readonly record: UpstreamRecord;
  readonly upstream: Upstream;
}

/** The use that a verdict is about. */
export interface UpstreamUse {
  readonly session: string | undefined;
  /** The requested model, if known. */
  readonly model: string | undefined;
  /** The client pinned the request to an account. */
  readonly pinned: boolean;
  /** Why this upstream was chosen. */
  readonly reason: ChoiceReason;
  /** The first upstream that failed the request, if one did. */
  readonly failedId: string | undefined;
  /** True if the upstream that the session belongs to was full. */
  readonly leavesFull: boolean;
  /** Unix ms. */
  readonly startedMs: number;
  /** True for a turn, which counts as a message. */
  readonly turn: boolean;
  /** True if only this upstream can decrypt the session's history. */
  readonly held: boolean;
  /** Fields for the events. */
  readonly fields: EventFields;
}

export interface Ledger {
  /** Applies the verdict on a reply or an event. */
  settle(entry: LedgerEntry, verdict: Verdict, use: UpstreamUse): void;
  /** Merges figures. Evidence of room ends an older limit. */
  learn(record: UpstreamRecord, evidence: QuotaEvidence): void;
  /** Applies a health event that no request caused. */
  note(record: UpstreamRecord, event: HealthEvent): void;
  /** Takes the upstream out of service, and reports that to the operator and in the event log, once. */
  disable(entry: LedgerEntry, reason: string, fields: EventFields): void;
}

/** How long a limit counts if it names no reset and the account has no figures. */
const LIMIT_WITHOUT_RESET_MS = 60_000;

export interface LedgerContext {
  readonly deps: Pick<Deps, "log" | "random">;
  readonly store: Store;
  readonly affinity: Affinity;
  readonly events: EventLog;
  readonly view: () => QuotaView;
  readonly useCredits: () => boolean;
  readonly refusedLimits: RefusedLimits;
  readonly switches: Pick<Switches, "note">;
  /** The upstream's current candidate for `model`; undefined if the upstream is gone. */
  readonly candidate: (id: string, model: string | undefined) => Candidate | undefined;
  /** Undefined if the proxy works alone. */
  readonly observer?: PoolObserver | undefined;
}

export function createLedger(context: LedgerContext): Ledger {
  const { store, affinity, events, view, useCredits, refusedLimits, switches, candidate, observer } = context;
  const { log, random } = context.deps;
  const { state } = store;

  const note = (record: UpstreamRecord, event: HealthEvent): boolean => {
    const isChanged = changeHealth(record, event);
    if (isChanged) {
      store.touch();
      observer?.changed(record, evidenceOf(event));
    }
    return isChanged;
  };

  const cool = (
    { record, upstream }: LedgerEntry,
    how: Pick<HealthEvent & { kind: "cool" }, "cause" | "reason" | "untilMs">,
    fields: EventFields,
  ): void => {
    const { nowMs } = view();
    noteSwitch(record, how.reason);
    note(record, { kind: "cool", atMs: nowMs, ...how });
    const current = how.cause === "limit" ? candidate(record.id, undefined) : undefined;
    const window = current && exhaustedWindow(current.summary)?.kind;
    log.info(
      `${upstream.kind} ${upstream.label} cools down for ${durationText((how.untilMs - nowMs) / 1000)}: ${limitWords(how.reason, window && FIELD_NAMES[window])}`,
    );
    events.append(`${upstream.kind}.cooldown`, {
      ...fields,
      ...upstream.named,
      reason: how.reason,
      ...(window === undefined ? {} : { window: FIELD_NAMES[window] }),
      cooldown_seconds: wholeSeconds(how.untilMs - nowMs),
    });
  };

  const disable = ({ record, upstream }: LedgerEntry, reason: string, fields: EventFields): void => {
    if (!note(record, { kind: "disable", reason, atMs: view().nowMs })) return;
    noteSwitch(record, reason);
    log.warn(`${upstream.kind} ${upstream.label} is ${disabledText(reason)}; ${upstream.retire(reason)}`);
    events.append(`${upstream.kind}.disabled`, { ...fields, ...upstream.named, reason });
  };

  const served = ({ record, upstream }: LedgerEntry, use: UpstreamUse): void => {
    const { nowMs } = view();
    countServed(record, nowMs, use.reason);
    store.touch();
    // A served catalogue says nothing about turns.
    if (!use.turn) return;
    const { health } = record;
    countTurn(record, use.startedMs);
    if (record.health !== health) observer?.changed(record, use.startedMs);
    state.messageCounter++;
    // A use because of affinity, as a last resort or because of a client's pin does not make the account active.
    const isChoice = !NO_CHOICES.has(use.reason) && !use.pinned;
    const binding = use.session === undefined ? undefined : affinity.get(use.session);
    const moved = switches.note({
      ...use,
      id: record.id,
      servedId: binding?.servedId ?? binding?.upstreamId,
    });
    if (moved !== undefined) {
      log.info(`${upstream.label} took over a turn`);
      events.append("request.switched", {
        ...use.fields,
        ...upstream.named,
        session: use.session,
        switch_reason: use.reason,
        from: moved.from,
        to: moved.to,
        reason: moved.reason,
        ...(moved.window === undefined ? {} : { window: FIELD_NAMES[moved.window] }),
      });
    }
    if (isChoice && state.activeId !== record.id) {
      state.activeId = record.id;
      state.lastRotationMs = nowMs;
    }
    if (use.session === undefined) return;
    // Once only one account can decrypt the history, that stays true while the session is bound to that account.
    const held = use.held || (binding?.held === true && binding.upstreamId === record.id);
    // A session that an API key has served goes back to the accounts as soon as one can serve.
    if (held || (use.reason !== "last-resort" && mayBind(binding?.upstreamId, record.id, use.model)))
      affinity.bind(use.session, record.id, held);
    affinity.noteServed(use.session, record.id);
  };

  /** Whether the session may be bound to `id`. A detour around a cooling account does not move it; other causes do. */
  const mayBind = (ownerId: string | undefined, id: string, model: string | undefined): boolean => {
    if (ownerId === undefined || ownerId === id || state.pinnedId === id) return true;
    const owner = candidate(ownerId, model);
    if (owner === undefined || owner.summary.exhausted) return true;
    return owner.reason === FLOOR_REASON || owner.condition === "limited" || owner.condition === "disabled";
  };

  const limited = (entry: LedgerEntry, verdict: Verdict & { kind: "limit" }, use: UpstreamUse): void => {
    const { record } = entry;
    const { nowMs } = view();
    const limit =
      limitNamed(record.quota, verdict.limitId) ?? limitFor(record.quota, use.model, refusedLimits.of);
    // A reset in the past cannot end this limit.
    const resetMs = verdict.untilMs !== undefined && verdict.untilMs > nowMs ? verdict.untilMs : undefined;
    if (hasSpendableCredits(record.quota.spending, view()) && isExhausted(record.quota, limit, view()))
      learnRefusal(record, creditsRefused(resetMs ?? nowMs + LIMIT_WITHOUT_RESET_MS, nowMs));
    if (resetMs !== undefined) learnRefusal(record, exhaustedEvidence(limit, resetMs, nowMs));
    const known = limitNamed(record.quota, limit.id) ?? limit;
    const untilMs =
      resetMs ?? exhaustedUntilMs(record.quota, known, view()) ?? nowMs + LIMIT_WITHOUT_RESET_MS;
    if (use.model !== undefined && verdict.limitId !== undefined) {
      refusedLimits.note(use.model, verdict.limitId, untilMs);
      observer?.modelRefused(use.model, verdict.limitId, untilMs);
    }
    if (limit.id === MAIN_LIMIT_ID)
      return cool(entry, { cause: "limit", reason: "usage-limit", untilMs }, use.fields);
    // A limit of some models does not stop the account from serving the others.
    refuse(entry, limit, { sinceMs: nowMs, untilMs }, use.fields);
  };

  const refuse = (
    { record, upstream }: LedgerEntry,
    limit: LimitQuota,
    refusal: Refusal,
    fields: EventFields,
  ): void => {
    noteSwitch(record, "usage-limit");
    learnRefusal(record, refusedEvidence(limit, refusal));
    store.touch();
    observer?.changed(record);
    events.append(`${upstream.kind}.cooldown`, {
      ...fields,
      ...upstream.named,
      reason: "usage-limit",
      limit_id: limit.id,
      cooldown_seconds: wholeSeconds(refusal.untilMs - refusal.sinceMs),
    });
  };

  return {
    settle: (entry, verdict, use) => {
      const { record } = entry;
      switch (verdict.kind) {
        case "ok":
          served(entry, use);
          break;
        case "limit":
          limited(entry, verdict, use);
          break;
        case "cool": {
          const { nowMs } = view();
          const forMs = verdict.isTimed
            ? verdict.forMs
            : backoffMs(record.health, verdict.forMs, nowMs, chance(random));
          const untilMs = nowMs + Math.max(1, forMs);
          cool(entry, { cause: "fault", reason: verdict.reason, untilMs }, use.fields);
          break;
        }
        case "disable":
          disable(entry, verdict.reason, use.fields);
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
      const { figuresRevision } = record;
      learn(record, evidence, { ...view(), useCredits: useCredits() });
      store.touch();
      if (record.figuresRevision !== figuresRevision)
        observer?.changed(record, newestFigureMs(evidence.main) || undefined);
    },
    note,
    disable,
  };
}

// --- internal ---

const NO_CHOICES: ReadonlySet<ChoiceReason> = new Set(["affinity", "least-bad", "last-resort"]);

function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000));
}

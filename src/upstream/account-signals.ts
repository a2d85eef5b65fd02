// Shares what this replica notices about accounts with the other replicas of the pool, and applies what they notice by
// the same rules: the newest figure of each window counts, and the longer cooldown. What was applied is not sent again.

import type { AccountChange } from "../auth/account-ops.ts";
import { type PutBackNotes, putBackBy } from "../cluster/put-back.ts";
import type { Signal, Signals } from "../cluster/signals.ts";
import type { TurnShares } from "../cluster/turn-shares.ts";
import { HEALTHY, type Health } from "../core/health.ts";
import { NO_TURNS } from "../core/turn-limit.ts";
import type { Clock } from "../deps.ts";
import type { AccountRecord, UpstreamRecord } from "../state/account-record.ts";
import { enableHealth, noteElsewhere, noteTurnsElsewhere } from "../state/record-changes.ts";
import type { Store } from "../state/store.ts";
import {
  evidenceFor,
  exhaustedCount,
  figuresOf,
  isShared,
  nameOf,
  newestMs,
  sharedHealth,
} from "./account-signal-values.ts";
import type { Pool } from "./pool.ts";
import type { PoolObserver } from "./pool-observer.ts";
import { FIGURES, HEALTH, IN_FLIGHT, MODEL_LIMIT, type SharedHealth } from "./signal-kinds.ts";

export interface AccountSignals extends PoolObserver {
  /** An operator has changed the account. If that has put it back into service, the other replicas do the same. */
  operated(change: AccountChange, record: AccountRecord): void;
  /** Begins to apply what other replicas notice, and to look for changes that no request has caused. */
  start(pool: Pick<Pool, "note" | "learn" | "disable" | "noteModelLimit" | "noteRoom">): void;
  /** Sends the last changes, and looks for no more. */
  stop(): void;
}

export interface AccountSignalsContext {
  readonly clock: Clock;
  readonly store: Pick<Store, "state" | "touch">;
  readonly signals: Signals;
  readonly putBack: PutBackNotes;
  /** The id of this replica. */
  readonly replica: string;
  readonly turnShares: TurnShares;
  /** How many concurrent turns the account may serve, on all replicas; 0: no limit. */
  readonly concurrency: (record: AccountRecord) => number;
}

/** How often changes are looked for. Those that keep requests away from an account are sent immediately. */
const LOOK_MS = 1_000;
/** Figures that only have a newer time are sent again after this time, so that they stay valid, ms. */
const REPEAT_MS = 30_000;

/** Between the account and the replica in the name of figures. */
const FROM = " from ";
const URGENT_FIGURES = { ...FIGURES, delayMs: 0 };

/** What this replica has already sent to the others about an account, or received from them. */
interface SharedState {
  health: Health;
  figuresRevision: number;
  figuresMs: number;
  /** How many windows are exhausted, and how many limits refuse requests. */
  exhausted: number;
  /** When figures were last sent, monotonic ms. */
  sentMs: number;
}

export function createAccountSignals(context: AccountSignalsContext): AccountSignals {
  const { clock, store, signals, putBack, replica, turnShares, concurrency } = context;
  const shared = new WeakMap<UpstreamRecord, SharedState>();
  const elsewhere = new Map<string, Signal<Readonly<Record<string, number>>>>();
  let isApplying = false;
  let noteRoom: Pool["noteRoom"] = () => {};
  let hasSentUses = false;
  let cancel: (() => void) | undefined;

  const recordOf = (name: string) => store.state.accounts.find((one) => nameOf(one) === name);

  const sharedOf = (record: AccountRecord): SharedState => {
    let state = shared.get(record);
    if (state === undefined) {
      state = {
        health: HEALTHY,
        figuresRevision: -1,
        figuresMs: 0,
        exhausted: 0,
        sentMs: Number.NEGATIVE_INFINITY,
      };
      shared.set(record, state);
    }
    return state;
  };

  /** Returns true if the health has changed. `evidenceMs`: what it is based on, Unix ms. */
  const sendHealth = (record: AccountRecord, evidenceMs = clock.now()): boolean => {
    const state = sharedOf(record);
    const before = state.health;
    state.health = record.health;
    if (record.health === before || (record.health.kind === "healthy" && before.kind === "healthy"))
      return false;
    if (!isShared(record.health)) return true;
    const atMs = record.health.kind === "healthy" ? evidenceMs : record.health.sinceMs;
    signals.put(HEALTH, nameOf(record), sharedHealth(record.health, record.loginMark), atMs);
    return true;
  };

  /** `atMs`: when the account was put back, Unix ms; default: now. */
  const sendPutBack = (record: AccountRecord, login: string | undefined, atMs?: number): void => {
    sharedOf(record).health = record.health;
    signals.put(HEALTH, nameOf(record), { kind: "healthy", isEnabled: true, login }, atMs);
  };

  const sendFigures = (record: AccountRecord, isUrgent: boolean): void => {
    const state = sharedOf(record);
    const isChanged = record.figuresRevision !== state.figuresRevision;
    if (!isChanged && clock.monotonic() - state.sentMs < REPEAT_MS) return;
    const figuresMs = newestMs(record.quota);
    // If this clock was set back, the figures that were sent seem to be from the future.
    const isNewer = figuresMs > state.figuresMs || state.figuresMs > clock.now();
    if (!isUrgent && !isNewer) return;
    state.figuresRevision = record.figuresRevision;
    state.figuresMs = figuresMs;
    state.exhausted = exhaustedCount(record.quota);
    state.sentMs = clock.monotonic();
    if (figuresMs === 0) return;
    const name = `${nameOf(record)}${FROM}${replica}`;
    signals.put(isUrgent ? URGENT_FIGURES : FIGURES, name, figuresOf(record.quota), figuresMs);
  };

  const sendUses = (): void => {
    const uses = store.state.accounts.filter(({ inFlight }) => inFlight > 0);
    if (uses.length === 0 && !hasSentUses) return;
    hasSentUses = uses.length > 0;
    signals.put(IN_FLIGHT, replica, Object.fromEntries(uses.map(({ id, inFlight }) => [id, inFlight])));
  };

  const countElsewhere = (): void => {
    for (const [id, { endsMs }] of elsewhere) if (endsMs <= clock.now()) elsewhere.delete(id);
    const uses = [...elsewhere.values()];
    for (const record of store.state.accounts) {
      const count = uses.reduce((sum, { value }) => sum + (value[record.id] ?? 0), 0);
      if (count !== record.inFlightElsewhere) noteElsewhere(record, count);
    }
  };

  /** Counts the turns of an account with a limit here, and notes what the other replicas leave of the limit. */
  const shareTurns = (record: AccountRecord): void => {
    if (concurrency(record) === 0) return noteTurnsElsewhere(record, NO_TURNS);
    turnShares.counted(record.id, record.turns);
    const before = record.turnsElsewhere;
    noteTurnsElsewhere(record, turnShares.elsewhere(record.id));
    if (record.turnsElsewhere < before) noteRoom();
  };

  /** Applies what another replica has noticed. Changes of this replica that wait to be sent are still sent. */
  const apply = (name: string, change: (record: AccountRecord) => void): void => {
    const record = recordOf(name);
    if (record === undefined) return;
    const state = sharedOf(record);
    const isHealthSent = record.health === state.health;
    const areFiguresSent = record.figuresRevision === state.figuresRevision;
    isApplying = true;
    try {
      change(record);
    } finally {
      isApplying = false;
    }
    if (isHealthSent) state.health = record.health;
    if (areFiguresSent) {
      state.figuresRevision = record.figuresRevision;
      state.figuresMs = newestMs(record.quota);
      state.exhausted = exhaustedCount(record.quota);
    }
  };

  const sendChanges = (): void => {
    for (const record of store.state.accounts) {
      sendHealth(record);
      sendFigures(record, false);
    }
    sendUses();
  };

  const look = (): void => {
    sendChanges();
    countElsewhere();
    store.state.accounts.forEach(shareTurns);
    cancel = clock.after(LOOK_MS, look);
  };

  return {
    changed: (record, evidenceMs) => {
      if (isApplying || !isAccount(record)) return;
      const isUrgent =
        sendHealth(record, evidenceMs) || exhaustedCount(record.quota) !== sharedOf(record).exhausted;
      if (isUrgent) sendFigures(record, true);
    },
    turnsChanged: (record) => {
      if (isAccount(record) && concurrency(record) > 0) shareTurns(record);
    },
    modelRefused: (model, limit, untilMs) => signals.put(MODEL_LIMIT, model, { limit, untilMs }),
    operated: (change, record) => {
      const back = putBackBy(change, record, clock.now());
      // The import did not end a disablement.
      if (back?.login !== undefined && sharedOf(record).health.kind !== "disabled") return;
      if (back === undefined) return;
      putBack.note(record.id, back);
      sendPutBack(record, back.login);
    },
    start: (pool) => {
      noteRoom = pool.noteRoom;
      signals.watch(
        HEALTH,
        ({ name, value, atMs }) =>
          apply(name, (record) => applyHealth(pool, record, value, atMs, clock.now()) && store.touch()),
        (name, value) => {
          const record = value.kind === "healthy" && value.isEnabled ? recordOf(name) : undefined;
          if (record !== undefined) putBack.forget(record.id);
        },
      );
      for (const [id, { atMs, login }] of putBack.all()) {
        const record = store.state.accounts.find((one) => one.id === id);
        if (record?.health.kind === "healthy") sendPutBack(record, login, atMs);
        else putBack.forget(id);
      }
      signals.watch(FIGURES, ({ name, value }) =>
        apply(name.slice(0, name.lastIndexOf(FROM)), (record) =>
          pool.learn(record.id, evidenceFor(record, value, clock.now())),
        ),
      );
      signals.watch(MODEL_LIMIT, ({ name, value }) => {
        if (value.untilMs > clock.now()) pool.noteModelLimit(name, value.limit, value.untilMs);
      });
      signals.watch(IN_FLIGHT, (signal) => {
        elsewhere.set(signal.name, signal);
        countElsewhere();
      });
      turnShares.watch((id) => {
        const record = store.state.accounts.find((one) => one.id === id);
        if (record !== undefined) shareTurns(record);
      });
      look();
    },
    stop: () => {
      cancel?.();
      sendChanges();
    },
  };
}

// --- internal ---

function isAccount(record: UpstreamRecord): record is AccountRecord {
  return "homeDir" in record;
}

/** Returns true if it has changed the record itself. */
function applyHealth(
  pool: Pick<Pool, "note" | "disable">,
  record: AccountRecord,
  value: SharedHealth,
  atMs: number,
  nowMs: number,
): boolean {
  const { id, health } = record;
  switch (value.kind) {
    case "healthy": {
      // Another login ends the disablement when it arrives as a fact. An import says nothing about a cooldown.
      if (value.login !== undefined && (value.login !== record.loginMark || health.kind !== "disabled"))
        return false;
      if (value.isEnabled && health.kind !== "healthy" && isShared(health) && health.sinceMs <= atMs) {
        enableHealth(record);
        return true;
      }
      pool.note(id, { kind: "served", startedMs: atMs });
      return false;
    }
    case "cooling": {
      const { cause, reason, sinceMs, untilMs } = value;
      // A time in the future would outlast all evidence that the cooldown has ended.
      const since = Math.min(sinceMs, nowMs);
      if (untilMs > nowMs) pool.note(id, { kind: "cool", cause, reason, atMs: since, untilMs });
      return false;
    }
    case "disabled":
      // The login may have been replaced meanwhile.
      if (value.login === record.loginMark) pool.disable(id, value.reason, { by: "replica" });
      return false;
    default:
      return value satisfies never;
  }
}

// Changes of a record by requests, operators, logins and the clock. The caller marks the store for saving, because records
// of child proxies are not in the store. record-figures.ts has the changes by what is learned about limits.

import type { OptionValues } from "../core/account-options.ts";
import type { AnchorCount } from "../core/anchor/anchor-count.ts";
import { type ApiBilling, newBilling } from "../core/api-billing.ts";
import { healthSetBack, plausibleHealth, plausibleQuota } from "../core/clock-set-back.ts";
import {
  HEALTHY,
  type Health,
  type HealthEvent,
  MISSING_AUTH,
  OPERATOR_REASON,
  transition,
  waitsForCredentials,
} from "../core/health.ts";
import { UNKNOWN_QUOTA, withoutExhausted } from "../core/quota.ts";
import { rampAfter } from "../core/slow-start.ts";
import type { TurnUse } from "../core/turn-limit.ts";
import type { AccountRecord, UpstreamRecord } from "./account-record.ts";
import { change, changeable, changeFigures, raise } from "./record-writes.ts";

// --- requests

/** A request begins on the upstream. */
export function beginUse(record: UpstreamRecord): void {
  changeable(record).inFlight++;
  raise(record);
}

/** A request on the upstream has ended. */
export function endUse(record: UpstreamRecord): void {
  changeable(record).inFlight--;
  raise(record);
}

/** A request that is a turn begins on the upstream. */
export function beginTurn(record: UpstreamRecord): void {
  changeable(record).turns++;
  beginUse(record);
}

/** A turn on the upstream has ended. */
export function endTurn(record: UpstreamRecord): void {
  changeable(record).turns--;
  endUse(record);
}

/** What the other replicas leave of the account's concurrency limit has changed. */
export function noteTurnsElsewhere(record: AccountRecord, use: Omit<TurnUse, "turns">): void {
  const { turnsElsewhere, turnSharers } = use;
  if (turnsElsewhere !== record.turnsElsewhere || turnSharers !== record.turnSharers)
    change(record, { turnsElsewhere, turnSharers });
}

/** Other replicas have `count` requests in flight on the account. */
export function noteElsewhere(record: AccountRecord, count: number): void {
  change(record, { inFlightElsewhere: count });
}

/** Counts a request that was served at `atMs`. `reason`: why the upstream was chosen for it. */
export function countServed(record: UpstreamRecord, atMs: number, reason: string): void {
  change(record, { lastUsedMs: atMs, lastSwitchReason: reason });
}

/** Counts a turn that began at `startedMs` and was served: it ends a cooldown that is older, and widens the slow start. */
export function countTurn(record: UpstreamRecord, startedMs: number): void {
  change(record, {
    health: transition(record.health, { kind: "served", startedMs }),
    ramp: rampAfter(record.ramp, "served"),
    unheardTurns: record.unheardTurns + 1,
  });
}

/** Replaces the count of the account's anchor turns. */
export function noteAnchors(record: AccountRecord, anchors: AnchorCount): void {
  change(record, { anchors });
}

/** Requests move away from the upstream because of `reason`. */
export function noteSwitch(record: UpstreamRecord, reason: string): void {
  change(record, { lastSwitchReason: reason });
}

// --- health

/** Applies `event` to the health and to the resulting slow start. Returns false if nothing changes. */
export function changeHealth(record: UpstreamRecord, event: HealthEvent): boolean {
  const before = record.health;
  const health = transition(before, event);
  if (health === before) return false;
  change(record, { health, ramp: rampFor(record, health) });
  return true;
}

/**
 * The operator puts the account back into service. If that ends a cooldown, figures of exhausted windows no longer count.
 * Otherwise they stay, because the account would only fail again with its next turn.
 */
export function enable(record: AccountRecord): void {
  enableHealth(record);
  change(record, { draining: false });
}

/** The part of `enable` that is not a setting of the account. */
export function enableHealth(record: AccountRecord): void {
  const wasCooling = record.health.kind === "cooling";
  changeHealth(record, { kind: "enable" });
  if (wasCooling) changeFigures(record, withoutExhausted(record.quota));
}

/** True if the account is disabled because the backend rejected its login, so that only a new login helps. */
export function needsLogin({ health, deadLoginMark }: AccountRecord): boolean {
  return waitsForCredentials(health) && deadLoginMark !== undefined;
}

/** The operator takes the account out of service. `on`: the name of the replica, if it is another one. */
export function disableByOperator(record: AccountRecord, atMs: number, on?: string): void {
  changeHealth(record, { kind: "disable", reason: OPERATOR_REASON, atMs, on });
  change(record, { draining: false });
}

/** The account keeps its sessions and takes no new ones. */
export function drain(record: AccountRecord): void {
  change(record, { draining: true });
}

// --- login and settings

/** The facts about an account that its credentials contain. */
export interface LoginFacts {
  readonly accountId: string | undefined;
  readonly userId: string | undefined;
  readonly email: string | undefined;
  readonly planType: string | undefined;
  /** The base URL of the API if the login is an API key; undefined for a ChatGPT login. */
  readonly apiBaseUrl: string | undefined;
  /** Hash that identifies the credentials. */
  readonly mark: string;
}

/** The account uses this login. Facts that the login does not contain are kept. */
export function identify(record: AccountRecord, login: LoginFacts): void {
  change(record, {
    chatgptAccountId: login.accountId ?? record.chatgptAccountId,
    chatgptUserId: login.userId ?? record.chatgptUserId,
    email: login.email ?? record.email,
    loginMark: login.mark,
  });
  const { apiBaseUrl: baseUrl } = login;
  if (baseUrl !== record.billing?.baseUrl)
    setBilling(
      record,
      baseUrl === undefined ? undefined : { ...(record.billing ?? newBilling(baseUrl)), baseUrl },
    );
  const { quota } = record;
  if (quota.planType === undefined && login.planType !== undefined)
    changeFigures(record, { ...quota, planType: login.planType });
}

/** Replaces what the account's API key has spent, and what is reserved. */
export function setBilling(record: AccountRecord, billing: ApiBilling | undefined): void {
  change(record, { billing });
  changeFigures(record, record.quota);
}

/** The alias now belongs to another account, so nothing known about the former account applies. */
export function forgetIdentity(record: AccountRecord): void {
  change(record, {
    chatgptAccountId: undefined,
    chatgptUserId: undefined,
    email: undefined,
    health: HEALTHY,
    quotaSyncMs: 0,
    billing: undefined,
    anchors: undefined,
    resetCredits: undefined,
    redemption: undefined,
    autoRedeems: undefined,
  });
  changeFigures(record, UNKNOWN_QUOTA);
}

/** The account was disabled for `reason`. Its login counts as dead, unless its file could not be read and may return. */
export function retireLogin(record: AccountRecord, reason: string): void {
  change(record, { deadLoginMark: reason === MISSING_AUTH ? undefined : record.loginMark });
}

/** `outboundProxy`: URL of the account's own HTTP proxy; undefined: use the configured one. */
export function setOutboundProxy(record: AccountRecord, outboundProxy: string | undefined): void {
  change(record, { outboundProxy });
}

/** Sets the options from `codexlb account set`. The floors are a part of the capacity, like the figures. */
export function setOptions(record: AccountRecord, options: OptionValues): void {
  change(record, { options });
  changeFigures(record, record.quota);
}

// --- corrections

/** The system clock was set back by `byMs` to `nowMs`. Cooldowns are not prolonged by that. */
export function setBack(record: UpstreamRecord, byMs: number, nowMs: number): void {
  change(record, { health: plausibleHealth(healthSetBack(record.health, byMs), nowMs) });
}

/** Corrects times that were stored before the clock was set back to `nowMs`. */
export function makePlausible(record: AccountRecord, nowMs: number): void {
  change(record, {
    health: plausibleHealth(record.health, nowMs),
    quotaSyncMs: Math.min(record.quotaSyncMs, nowMs),
    lastUsedMs: Math.min(record.lastUsedMs, nowMs),
    resetCredits: record.resetCredits && {
      ...record.resetCredits,
      asOfMs: Math.min(record.resetCredits.asOfMs, nowMs),
    },
  });
  changeFigures(record, plausibleQuota(record.quota, nowMs));
}

/** Restores the values of `before`, an earlier copy of the record. */
export function restore(record: AccountRecord, before: AccountRecord): void {
  const { revision, figuresRevision } = record;
  change(record, { ...before, revision, figuresRevision });
  changeFigures(record, before.quota);
}

// --- internal ---

/** A cooldown begins a slow start. An account that is put back into service needs none. */
function rampFor({ health: before, ramp }: UpstreamRecord, after: Health): UpstreamRecord["ramp"] {
  if (after.kind === "cooling") return rampAfter(ramp, "cooled");
  return before.kind === "disabled" ? rampAfter(ramp, "restored") : ramp;
}

// Makes the status document, and the parts of it that the short line needs, from the facts of a pool.

import { windowsAtFloor } from "./account-options.ts";
import { nextMonthMs, reservedUsd, roundedUsd, spentUsd } from "./api-billing.ts";
import { type Candidate, cooldownLeftMs, isOpen } from "./availability.ts";
import { FLOOR_REASON } from "./capacity.ts";
import { distinct, pooledRemote } from "./child-report.ts";
import { accountKey } from "./forecast/forecast-accounts.ts";
import { type Forecasts, poolForecastFields, windowForecastFields } from "./forecast/status-forecast.ts";
import type { AccountFacts, AccountSwitch, ChildFacts, PoolFacts, PoolOutline } from "./pool-facts.ts";
import { pooledLimits } from "./pooled-limits.ts";
import { newestFigureMs, type QuotaView } from "./quota.ts";
import { unixSeconds } from "./quota-wire.ts";
import { firstExpiryMs, resetCreditsAt } from "./reset-credits.ts";
import type { WaitingSummary } from "./run-tag.ts";
import type { ShortFacts } from "./short-status.ts";
import {
  FIELD_NAMES,
  figuresOf,
  limitStatus,
  newestSource,
  ownLimitStatus,
  spendingFields,
  windowFields,
} from "./status-quota.ts";
import type { AccountStatus, ChildStatus, StatusDocument, SwitchStatus } from "./status-schema.ts";
import { FULL_REASON } from "./turn-limit.ts";
import { presentOf } from "./windows.ts";

/** The status document, with `forecasts` if there are some. Accounts: the active one first, then by proxy and alias. */
export function statusDocument(facts: PoolFacts, view: QuotaView, forecasts?: Forecasts): StatusDocument {
  const { children } = facts;
  const own = facts.accounts.map((account) => ({
    ...accountStatus(account, facts, view),
    ...forecastField(forecasts, account.identity, account.id),
  }));
  const reached = children.flatMap(({ id, report }) =>
    (report?.accounts ?? []).map((account) => ({
      key: account.key,
      limits: pooledRemote(account, view),
      reported: {
        ...account.reported,
        active: account.reported.active && id === facts.activeId,
        ...forecastField(forecasts, account.identity, account.key),
      },
    })),
  );
  const remote = distinct(reached, ({ key }) => key);
  const accounts = [...own, ...remote.map(({ reported }) => reported)].sort(
    (a, b) =>
      Number(b.active) - Number(a.active) || compare(a.proxy_name, b.proxy_name) || compare(a.alias, b.alias),
  );
  const everywhere = [...facts.accounts, ...remote.map(({ limits }) => limits)];
  const additional = pooledLimits(everywhere, view).map(limitStatus);
  return {
    proxy_name: facts.self.name,
    proxy_id: facts.self.id,
    generated_at: new Date(view.nowMs).toISOString(),
    policy: {
      mode: facts.policy.mode,
      delta_percent: facts.policy.deltaPercent,
      weights: { daily: facts.policy.weights.daily, weekly: facts.policy.weights.weekly },
      ...(facts.accounts.some(({ candidate: { options } }) => options.floorDaily + options.floorWeekly > 0)
        ? { spend_floors: facts.policy.spendFloors }
        : {}),
    },
    state: {
      active_index: Math.max(
        0,
        facts.accounts.findIndex((account) => account.id === facts.activeId),
      ),
      message_counter: facts.messageCounter,
      last_rotation_at_ms: facts.lastRotationMs,
      ...(facts.pinnedId === undefined ? {} : { pinned_account_id: facts.pinnedId }),
    },
    ...selected(facts),
    accounts,
    ...(additional.length === 0 ? {} : { additional_limits: additional }),
    ...(forecasts === undefined ? {} : { forecast: poolForecastFields(forecasts.pool) }),
    ...(facts.switches.length === 0 ? {} : { switches: facts.switches.map(switchStatus) }),
    ...(children.length === 0
      ? {}
      : { child_proxies: children.map((child) => childStatus(child, facts, view)) }),
  };
}

/** The field of the document about turns that wait for a reset. */
export function waitingField({
  turns,
  untilMs,
  account,
  window,
}: WaitingSummary): Pick<StatusDocument, "waiting"> {
  if (untilMs === undefined) return {};
  return {
    waiting: {
      turns,
      until_ms: untilMs,
      ...(account === undefined ? {} : { account }),
      ...(window === undefined ? {} : { window }),
    },
  };
}

/** The field of the document about the turns that wait for a slot on a full account. */
export function queuedField(turns: number): Pick<StatusDocument, "queued_turns"> {
  return turns === 0 ? {} : { queued_turns: turns };
}

/** The parts of the document that the short line needs. */
export function shortFacts(facts: PoolOutline): ShortFacts {
  const { name } = facts.self;
  return {
    proxy_name: name,
    policy: facts.policy,
    accounts: facts.accounts.map(({ alias, id }) => ({
      id,
      alias,
      proxy_name: name,
      active: id === facts.activeId,
    })),
    ...selected(facts),
  };
}

// --- internal ---

/** The forecast of the account with this identity and id. */
function forecastField(
  forecasts: Forecasts | undefined,
  identity: string | undefined,
  id: string,
): Pick<AccountStatus, "forecast"> {
  const windows = forecasts?.accounts.get(accountKey(identity, id));
  if (windows === undefined) return {};
  return { forecast: windows.map((window) => windowForecastFields(window, FIELD_NAMES)) };
}

type Selection = Pick<
  StatusDocument,
  "selected_account_id" | "selected_proxy_url" | "selected_proxy_name" | "selection_reason"
>;

function selected({ next, children, isFull }: PoolOutline): Selection {
  if (next === undefined) return isFull ? { selection_reason: FULL_REASON } : {};
  const child = children.find(({ id }) => id === next.id);
  const who =
    child === undefined
      ? { selected_account_id: next.id }
      : { selected_proxy_url: child.url, selected_proxy_name: child.name };
  return { ...who, selection_reason: next.reason };
}

function childStatus(child: ChildFacts, { activeId }: PoolFacts, { nowMs }: QuotaView): ChildStatus {
  const { report, candidate } = child;
  const { reason } = candidate;
  const cooldownMs = cooldownLeftMs(candidate, nowMs);
  return {
    name: child.name,
    url: child.url,
    active: child.id === activeId,
    healthy: isOpen(candidate.condition),
    reachable: child.reachable,
    cooldown_seconds: Math.ceil(cooldownMs / 1000),
    score: candidate.score,
    ...(report?.selectedTarget === undefined ? {} : { selected_target: report.selectedTarget }),
    ...(report?.selectionReason === undefined ? {} : { selection_reason: report.selectionReason }),
    ...(child.lastSwitchReason === undefined ? {} : { last_switch_reason: child.lastSwitchReason }),
    ...(child.error === undefined ? {} : { last_error: child.error }),
    ...(report?.id === undefined ? {} : { proxy_id: report.id }),
    ...(cooldownMs > 0 && reason !== undefined ? { cooldown_reason: reason } : {}),
    in_flight: candidate.inFlight,
    ...(report?.cycle === undefined ? {} : { cycle: report.cycle }),
    ...(child.next === undefined ? {} : { next: child.next }),
    ...(report === undefined || report.children.length === 0 ? {} : { child_proxies: [...report.children] }),
  };
}

function accountStatus(account: AccountFacts, facts: PoolFacts, view: QuotaView): AccountStatus {
  const { quota, candidate } = account;
  const { reason } = candidate;
  const isDisabled = candidate.condition === "disabled";
  const cooldownMs = cooldownLeftMs(candidate, view.nowMs);
  const { main, additional } = quota;
  const figuresMs = newestFigureMs(main);
  return {
    proxy_name: facts.self.name,
    proxy_id: facts.self.id,
    ...(account.identity === undefined ? {} : { identity: account.identity }),
    alias: account.alias,
    id: account.id,
    ...(account.email === undefined ? {} : { email: account.email }),
    ...(account.workspace === undefined ? {} : { workspace: account.workspace }),
    active: account.id === facts.activeId,
    pinned: account.id === facts.pinnedId,
    // Figures alone do not make an account unhealthy.
    healthy: candidate.closedBy !== "health",
    enabled: !isDisabled,
    ...(isDisabled && reason !== undefined ? { disabled_reason: reason } : {}),
    ...(account.health.kind === "disabled" && account.health.on !== undefined
      ? { disabled_on: account.health.on }
      : {}),
    ...(candidate.draining ? { draining: true } : {}),
    cooldown_seconds: Math.ceil(cooldownMs / 1000),
    ...(cooldownMs > 0 && reason !== undefined ? { cooldown_reason: reason } : {}),
    ...optionFields(candidate),
    ...billingField(account, view.nowMs),
    ...windowFields(main, candidate.summary),
    ...spendingFields(account),
    ...resetCreditsField(account, view),
    ...(additional.length === 0
      ? {}
      : { additional_limits: additional.map((limit) => ownLimitStatus(limit, view)) }),
    score: candidate.score,
    in_flight: candidate.inFlight,
    sessions: account.sessions,
    last_used_at_ms: account.lastUsedMs,
    ...(account.lastSwitchReason === undefined ? {} : { last_switch_reason: account.lastSwitchReason }),
    ...(figuresMs === 0 ? {} : { quota_source: newestSource(main), quota_as_of_ms: figuresMs }),
    figures: figuresOf(quota, view),
    ...(account.quota.planType === undefined ? {} : { plan_type: account.quota.planType }),
  };
}

function resetCreditsField(
  { resetCredits }: AccountFacts,
  { nowMs }: QuotaView,
): Pick<AccountStatus, "reset_credits"> {
  if (resetCredits === undefined) return {};
  const now = resetCreditsAt(resetCredits, nowMs);
  const expires_at = unixSeconds(firstExpiryMs(now));
  return { reset_credits: { count: now.count, expires_at, as_of_ms: now.asOfMs } };
}

function billingField(
  { billing, candidate }: AccountFacts,
  nowMs: number,
): Pick<AccountStatus, "api_key" | "windows"> {
  if (billing === undefined) return {};
  const { monthlyCap } = candidate.options;
  return {
    windows: [],
    api_key: {
      base_url: billing.baseUrl,
      spent_usd: roundedUsd(spentUsd(billing, nowMs)),
      reserved_usd: roundedUsd(reservedUsd(billing)),
      ...(monthlyCap === 0 ? {} : { cap_usd: monthlyCap }),
      reset_at: nextMonthMs(nowMs) / 1000,
    },
  };
}

/** What the user has set for the account, without the defaults, its floors that are reached, and its exhausted windows. */
function optionFields({ condition, reason, options, summary, fullAt }: Candidate) {
  const { priority, floorDaily, floorWeekly, tags, note, concurrency } = options;
  const isLow = reason === FLOOR_REASON;
  const exhausted =
    condition === "exhausted" ? presentOf(summary.windows).filter(({ left }) => left === 0) : [];
  const low = isLow ? windowsAtFloor(summary.windows, options).map(({ kind }) => FIELD_NAMES[kind]) : [];
  return {
    ...(priority === 0 ? {} : { priority }),
    ...(floorDaily === 0 ? {} : { floor_daily_pct: floorDaily }),
    ...(floorWeekly === 0 ? {} : { floor_weekly_pct: floorWeekly }),
    ...(tags.length === 0 ? {} : { tags: [...tags] }),
    ...(note === "" ? {} : { note }),
    ...(concurrency === 0 ? {} : { concurrency }),
    // A limit or a cooldown keeps turns away for longer.
    ...(fullAt === undefined || !isOpen(condition) ? {} : { full_at: fullAt }),
    ...(low.length === 0 ? {} : { at_floor: low }),
    ...(condition === "kept_back" ? { kept_back: true } : {}),
    ...(exhausted.length === 0 ? {} : { exhausted: exhausted.map(({ kind }) => FIELD_NAMES[kind]) }),
  };
}

/**
 * The status can be read without credentials, so a session is only named well enough to recognize it: this is the time
 * in the thread ids of Codex.
 */
const SESSION_CHARS = 13;

function switchStatus(one: AccountSwitch): SwitchStatus {
  const { atMs, firstAtMs, count, from, to, reason, window, session, replica } = one;
  return {
    at_ms: atMs,
    first_at_ms: firstAtMs,
    count,
    from,
    to,
    reason,
    ...(window === undefined ? {} : { window: FIELD_NAMES[window] }),
    ...(session === undefined ? {} : { session: session.slice(0, SESSION_CHARS) }),
    ...(replica === undefined ? {} : { replica }),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

// The state of an account in words for a person. Scripts read `accountState` in status-words.ts.

import { advised } from "../advice.ts";
import { WHOLE_PCT } from "./account-options.ts";
import { usdText } from "./api-billing.ts";
import { isLimitCode, isLoginCode, reasonWords } from "./reason-words.ts";
import type { AccountAnswer } from "./status-schema.ts";
import { exhaustedWindows, hasRoom } from "./status-words.ts";
import { backWords } from "./time-words.ts";
import { atOnce, fullWords } from "./turn-limit.ts";

/**
 * `good`: it serves. `low`: it serves with restrictions, or soon again. `bad`: it cannot serve. `off`: the user took it
 * out of service.
 */
export type StateLevel = "good" | "low" | "bad" | "off";

export interface ShownState {
  readonly level: StateLevel;
  /** True if it takes new sessions now. */
  readonly canServe: boolean;
  /** The state in words that take fewer and fewer columns, the longest first. */
  readonly wordings: readonly [string, ...string[]];
  /** The command that ends the state; it is part of the longest wording. */
  readonly command?: string;
  /** True if codexlb took it out of service, so its figures say nothing. */
  readonly isDead?: boolean;
  /** Why it takes no new sessions; absent if it does. */
  readonly cause?: OutageCause;
  /** When it probably serves again, Unix ms; absent if that is unknown or depends on the user. */
  readonly backAtMs?: number;
}

/**
 * Why an account takes no new sessions. `floor`: its floor keeps it back. `login`: it needs a new login. `key`: the API
 * refused its key. `failed`: all other reasons.
 */
export type OutageCause = (typeof OUTAGE_CAUSES)[number];
export const OUTAGE_CAUSES = [
  "limit",
  "floor",
  "cooling",
  "login",
  "key",
  "off",
  "draining",
  "failed",
] as const;

/** The state of `account` as the proxy called `ownName` reports it. */
export function shownState(account: AccountAnswer, ownName: string, nowMs: number): ShownState {
  const isOwn = account.proxy_name === "" || account.proxy_name === ownName;
  const closed = closedState(
    {
      alias: account.alias,
      proxyName: isOwn ? undefined : account.proxy_name,
      enabled: account.enabled,
      disabledReason: account.disabled_reason,
      disabledOn: account.disabled_on,
      hasApiKey: account.api_key !== undefined,
      cooldownReason: account.cooldown_reason,
      cooldownUntilMs: nowMs + account.cooldown_seconds * 1000,
    },
    nowMs,
  );
  if (closed !== undefined) return closed;
  if (!account.healthy) return { ...OUT, cause: "failed", wordings: ["unavailable"] };
  const restricted = restrictedState(account, nowMs);
  if (restricted !== undefined) return restricted;
  if (account.at_floor !== undefined && account.kept_back)
    return keptBackState(account, account.at_floor, nowMs);
  if (account.draining && !account.pinned) return DRAINING;
  if (account.full_at !== undefined) return fullState(account, account.full_at);
  if (account.at_floor !== undefined) return LAST_RESORT;
  if (!account.draining) return account.api_key === undefined ? READY : apiKeyState(account.api_key, nowMs);
  return {
    level: "low",
    canServe: true,
    wordings: ["draining, but pinned (gets all turns)", "draining, but pinned", "draining"],
  };
}

/** The state of a draining account that is not pinned. */
export const DRAINING: ShownState = {
  level: "low",
  canServe: false,
  cause: "draining",
  wordings: ["draining (no new sessions)", "draining"],
};

/** The state of an account at its floor, if it is not known whether the policy lets it serve. */
export const AT_FLOOR: ShownState = { level: "low", canServe: true, wordings: ["at its floor"] };

/** The state of an account without restrictions. */
export const READY: ShownState = { level: "good", canServe: true, wordings: ["ready"] };

/** Why an account may be out of service. */
export interface ServiceFacts {
  readonly alias: string;
  /** The child proxy that has the account; undefined: the proxy itself. */
  readonly proxyName: string | undefined;
  readonly enabled: boolean;
  readonly disabledReason: string;
  /** The replica on which the user disabled it, if it is another one. */
  readonly disabledOn: string | undefined;
  /** True if its login is an API key. */
  readonly hasApiKey: boolean;
  readonly cooldownReason: string | undefined;
  /** Unix ms; 0 or a past time without a cooldown. */
  readonly cooldownUntilMs: number;
}

/** The state of an account that is disabled or cooling down; undefined for others. */
export function closedState(facts: ServiceFacts, nowMs: number): ShownState | undefined {
  const { enabled, disabledReason, cooldownReason: reason = "", cooldownUntilMs: untilMs } = facts;
  if (!enabled || disabledReason !== "") return disabledState(facts);
  if (untilMs <= nowMs) return undefined;
  return isLimitCode(reason)
    ? limitState("limit reached", untilMs, nowMs)
    : coolingState(reason, untilMs, nowMs);
}

/** `resets`: those of the exhausted windows, Unix ms; 0 if one is unknown. Without any the account has room. */
export function exhaustedState(resets: readonly number[], nowMs: number): ShownState | undefined {
  if (resets.length === 0) return undefined;
  return limitState("limit reached", resets.includes(0) ? 0 : Math.max(...resets), nowMs);
}

/** The state of an account with an API key. */
export function apiKeyState(apiKey: NonNullable<AccountAnswer["api_key"]>, nowMs: number): ShownState {
  const { spent_usd: spent, cap_usd: cap, reset_at } = apiKey;
  if (cap === undefined)
    return { ...OUT, cause: "failed", wordings: ["no monthly cap, so it serves no turns", "no monthly cap"] };
  if (!hasRoom(apiKey)) {
    const what = `cap of ${usdText(cap)} reached`;
    const reached = limitState(what, reset_at * 1000, nowMs);
    // The cap can be raised, so it matters more than the time of its reset.
    return { ...reached, wordings: [reached.wordings[0], what, "cap reached"] };
  }
  return {
    level: "low",
    canServe: true,
    wordings: [
      `last resort, ${spent.toFixed(2)} of ${usdText(cap)} spent this month`,
      `last resort, $${spent.toFixed(2)} of $${cap}`,
      "last resort",
    ],
  };
}

// --- internal ---

const OUT = { level: "bad", canServe: false } as const;

function disabledState(facts: ServiceFacts): ShownState {
  const { alias, proxyName, disabledReason: reason, disabledOn, hasApiKey } = facts;
  if (reason === "" || reason === "operator") {
    const byYou = ["disabled by you", "disabled"] as const;
    const wordings = disabledOn === undefined ? byYou : ([`${byYou[0]} on ${disabledOn}`, ...byYou] as const);
    return { level: "off", canServe: false, cause: "off", wordings };
  }
  const words = reasonWords(reason);
  if (!isLoginCode(reason))
    return { ...OUT, cause: "failed", wordings: [`disabled: ${words}`, "disabled"], isDead: true };
  const target = proxyName === undefined ? [] : ["--proxy-name", proxyName];
  const what = hasApiKey ? "API key refused" : words;
  const command = hasApiKey
    ? advised("account add-key", ...target, alias, "--key-stdin")
    : advised("account login", ...target, alias);
  return {
    ...OUT,
    cause: hasApiKey ? "key" : "login",
    wordings: [`${what}: ${command}`, what],
    command,
    isDead: true,
  };
}

function coolingState(reason: string, untilMs: number, nowMs: number): ShownState {
  const back = backWords(untilMs, nowMs);
  const why = reason === "" ? "" : ` (${reasonWords(reason)})`;
  return {
    level: "low",
    canServe: false,
    cause: "cooling",
    wordings: [`cooling down${why}, ${back[0]}`, `cooling down, ${back[0]}`, ...back, "cooling"],
    backAtMs: untilMs,
  };
}

/** `untilMs`: Unix ms; 0 if it is unknown. */
function limitState(what: string, untilMs: number, nowMs: number): ShownState {
  if (untilMs <= nowMs) return { ...OUT, cause: "limit", wordings: [what] };
  const back = backWords(untilMs, nowMs);
  const [long, ...shorter] = back;
  return {
    ...OUT,
    cause: "limit",
    wordings: [
      `${what}, ${long}`,
      ...shorter.slice(0, 1).map((words) => `${what}, ${words}`),
      ...(shorter.length === 0 ? back : shorter),
    ],
    backAtMs: untilMs,
  };
}

/** The state of an account at its floor that serves if no other account can. */
const LAST_RESORT: ShownState = {
  level: "low",
  canServe: true,
  wordings: ["at its floor (serves if no other account can)", "at its floor (last resort)", "at its floor"],
};

/** The state of an account that takes no turns, because the windows `low` have reached their floor. */
function keptBackState(account: AccountAnswer, low: readonly string[], nowMs: number): ShownState {
  const { floor_daily_pct: daily = 0, floor_weekly_pct: weekly = 0 } = account;
  const floors = { daily, weekly, monthly: weekly };
  const resets = (["daily", "weekly", "monthly"] as const).flatMap((name) => {
    if (!low.includes(name)) return [];
    // A reset does not help if the floor keeps back the whole window.
    return [floors[name] >= WHOLE_PCT ? 0 : account[`${name}_reset_at`] * 1000];
  });
  const kept = limitState("at its floor", resets.includes(0) ? 0 : Math.max(0, ...resets), nowMs);
  return { ...kept, cause: "floor" };
}

/** The state of an account that already serves `bound` turns. It serves again as soon as one of them ends. */
function fullState({ concurrency }: AccountAnswer, bound: number): ShownState {
  const words = fullWords(bound, concurrency ?? bound);
  return { level: "low", canServe: true, wordings: [words, `at ${atOnce(bound)}`, "full"] };
}

const WORKSPACE_LIMITS: Readonly<Record<string, string>> = {
  workspace_member_credits_depleted: "your workspace credits are exhausted",
  workspace_member_usage_limit_reached: "your workspace limit reached",
  workspace_owner_credits_depleted: "workspace credits exhausted",
  workspace_owner_usage_limit_reached: "workspace limit reached",
};

/** The state of an account whose figures or whose workspace leave it nothing; undefined if it has room. */
function restrictedState(account: AccountAnswer, nowMs: number): ShownState | undefined {
  const { limit_reached_type: type, individual_limit: member, credits } = account;
  if (type !== undefined && type !== "rate_limit_reached")
    return {
      ...OUT,
      cause: "limit",
      wordings: [WORKSPACE_LIMITS[type] ?? `limit reached (${type})`, "limit reached"],
    };
  if (member !== undefined && member.left_pct <= 0)
    return limitState("member limit reached", member.reset_at * 1000, nowMs);
  const resets = exhaustedWindows(account).map((name) => account[`${name}_reset_at`] * 1000);
  if (resets.length > 0 && credits?.usable === true)
    return { level: "low", canServe: true, wordings: ["spends credits", "credits"] };
  return exhaustedState(resets, nowMs);
}

// What `codexlb wait` waits for, read from the status of a proxy. Pure.

import { advised } from "../../advice.ts";
import { type OutageCause, shownState } from "../../core/account-state.ts";
import { type FirstBack, outageOf, outageWords } from "../../core/outage.ts";
import type { AccountAnswer, StatusAnswer } from "../../core/status-schema.ts";
import { resetAt } from "../../core/time-words.ts";
import { CodexlbError } from "../../errors.ts";

export type WaitGoal = "ready" | "reset";

export type WaitState =
  /** The goal is reached. `name`: an account that reaches it; undefined if only a child proxy does. */
  | { readonly kind: "done"; readonly name: string | undefined }
  /** The goal will be reached; `back` says when, if that is known. */
  | { readonly kind: "wait"; readonly why: string; readonly back: FirstBack | undefined }
  /** The goal cannot be reached without the user. `next`: what helps, if it is not in the status. */
  | { readonly kind: "never"; readonly why: string; readonly next?: string };

/** Whether the pool (or only the account `alias`) can take a new session. Throws `account_not_found`. */
export function readiness(status: StatusAnswer, alias: string | undefined, nowMs: number): WaitState {
  return alias === undefined ? poolReadiness(status, nowMs) : accountReadiness(status, alias, nowMs);
}

/** The next reset of a window of the pool's accounts, or of `alias`. Throws `account_not_found`. */
export function nextReset(status: StatusAnswer, alias: string | undefined, nowMs: number): WaitState {
  const accounts = alias === undefined ? status.accounts : [accountCalled(status, alias)];
  const [first] = accounts
    .flatMap((account) => resetsOf(account).map((atMs) => ({ name: account.alias, atMs })))
    .filter(({ atMs }) => atMs > nowMs)
    .sort((a, b) => a.atMs - b.atMs);
  if (first === undefined) return { kind: "never", why: `no reset is known for ${alias ?? "any account"}` };
  return { kind: "wait", why: `the next reset is ${first.name}'s`, back: first };
}

/** The state in one line: what is waited for, and when it comes. */
export function waitLine(state: WaitState & { kind: "wait" }, goal: WaitGoal, nowMs: number): string {
  if (goal === "ready" || state.back === undefined) return state.why;
  return `${state.why}, ${resetAt(state.back.atMs, nowMs)}`;
}

/**
 * Whether one of the accounts, which take no new sessions for these causes, can again by itself. `first` is the first one
 * that does. A floor without a known reset stays reached.
 */
export function comesBack(causes: readonly OutageCause[], first: FirstBack | undefined): boolean {
  return first !== undefined || causes.some((cause) => PASSING.has(cause));
}

// --- internal ---

/** The causes that end by themselves, even if it is not known when. */
const PASSING: ReadonlySet<OutageCause> = new Set(["limit", "cooling"]);

/** The end of a wait that cannot reach its goal. */
function never(why: string, causes: readonly OutageCause[], alias = "ALIAS"): WaitState {
  if (!causes.includes("floor")) return { kind: "never", why };
  const lower = advised("account set", alias, "--floor-daily", "none", "--floor-weekly", "none");
  return {
    kind: "never",
    why,
    next: `remove the floors with: ${lower}, or set policy.spend_floors = "last" in config.toml`,
  };
}

function poolReadiness(status: StatusAnswer, nowMs: number): WaitState {
  const { accounts, child_proxies: children } = status;
  const outage = outageOf(status, nowMs);
  if (outage === undefined) {
    const serving = accounts.filter((account) => shownState(account, status.proxy_name, nowMs).canServe);
    const { alias } = serving.find(({ active }) => active) ?? serving[0] ?? {};
    if (alias !== undefined || children.some(({ reachable, healthy }) => reachable && healthy))
      return { kind: "done", name: alias };
    return children.length > 0
      ? { kind: "wait", why: "no child proxy can serve", back: undefined }
      : { kind: "never", why: "the proxy has no accounts" };
  }
  const why = outageWords(outage, nowMs);
  // An unreachable child proxy may have accounts that can serve.
  if (children.length === 0 && !comesBack(outage.causes, outage.first)) return never(why, outage.causes);
  return { kind: "wait", why, back: outage.first };
}

function accountReadiness(status: StatusAnswer, alias: string, nowMs: number): WaitState {
  const account = accountCalled(status, alias);
  const { canServe, cause, wordings, backAtMs } = shownState(account, status.proxy_name, nowMs);
  if (canServe) return { kind: "done", name: account.alias };
  const why = `${account.alias}: ${wordings[0]}`;
  if (cause === undefined) return { kind: "never", why };
  const back = backAtMs === undefined ? undefined : { name: account.alias, atMs: backAtMs };
  return comesBack([cause], back) ? { kind: "wait", why, back } : never(why, [cause], account.alias);
}

/** The account with this alias, preferring the proxy's own accounts to those of child proxies. */
function accountCalled({ accounts }: StatusAnswer, alias: string): AccountAnswer {
  const called = accounts.filter((account) => account.alias.toLowerCase() === alias.toLowerCase());
  const account = called.find(({ proxy_path }) => proxy_path.length === 0) ?? called[0];
  if (account !== undefined) return account;
  throw new CodexlbError("account_not_found", `this proxy has no account ${JSON.stringify(alias)}`, {
    next: `list the accounts with: ${advised("account list", "--tree")}`,
  });
}

function resetsOf(account: AccountAnswer): number[] {
  return [account.daily_reset_at, account.weekly_reset_at, account.monthly_reset_at].map((at) => at * 1000);
}

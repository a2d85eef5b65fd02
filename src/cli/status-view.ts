// The status document as people read it: a table, a compact layout for narrow terminals, one line for status bars.

import type { AccountAnswer, ChildAnswer, StatusAnswer } from "../core/status-schema.ts";
import { limitWindows, NO_WINDOW } from "./limit-windows.ts";
import { table, widthOf } from "./table.ts";

type Account = AccountAnswer;

/** Terminals narrower than this get the compact layout. */
const WIDE_COLUMNS = 140;

export interface StatusStyle {
  /** Undefined: wide. */
  readonly columns: number | undefined;
  /** Where the figures come from, too. Scripts of the Go program know of no such column. */
  readonly figures: boolean;
}

/** The table; below `WIDE_COLUMNS` columns, and on a terminal that it does not fit, the compact layout. */
export function fullStatus(status: StatusAnswer, { columns, figures }: StatusStyle, nowMs: number): string {
  const plain = withoutFigures(status);
  const told = figures ? status : plain;
  const fits = (text: string) => !figures || columns === undefined || widthOf(text) <= columns;
  const isWide = columns === undefined || columns >= WIDE_COLUMNS;
  const fitting = isWide ? [told, plain].map((one) => wide(one, nowMs)).find(fits) : undefined;
  const isNarrow = fitting === undefined;
  const accounts = status.accounts.length === 0 ? "no accounts\n" : (fitting ?? compact(told, nowMs));
  const children = treeOf(status.child_proxies, 0);
  if (children.length === 0) return accounts;
  return `${accounts}\n${isNarrow ? compactChildren(children) : wideChildren(children)}`;
}

const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_S = 86_400;

/** Time from now until `atSeconds` (Unix), in the largest unit that says enough. */
export function relative(atSeconds: number, nowMs: number): string {
  if (atSeconds <= 0) return "-";
  const left = atSeconds - nowMs / 1000;
  if (left < MINUTE_S) return "soon";
  if (left < HOUR_S) return `in ${Math.max(1, Math.round(left / MINUTE_S))} min`;
  if (left < 2 * DAY_S) {
    const hours = Math.round(left / HOUR_S);
    return hours === 1 ? "in 1 hour" : `in ${hours} hours`;
  }
  return `in ${Math.round(left / DAY_S)} days`;
}

// --- internal ---

function withoutFigures(status: StatusAnswer): StatusAnswer {
  return { ...status, accounts: status.accounts.map((account) => ({ ...account, figures: [] })) };
}

function wide(status: StatusAnswer, nowMs: number): string {
  const { accounts } = status;
  const showPin = accounts.some((account) => isPinned(account, status));
  // The Go program does not tell them.
  const showFigures = accounts.some((account) => account.figures.length > 0);
  const showState = accounts.some((account) => stateOf(account) !== "ready");
  const showMonthly = showsMonthly(status);
  const showCredits = accounts.some(hasCredits);
  const row = (cells: Record<string, string>): string[] => [
    cells.active ?? "",
    ...(showPin ? [cells.pin ?? ""] : []),
    cells.proxy ?? "",
    cells.alias ?? "",
    cells.email ?? "",
    ...(showState ? [cells.state ?? ""] : []),
    cells.daily ?? "",
    cells.dailyReset ?? "",
    cells.weekly ?? "",
    cells.weeklyReset ?? "",
    ...(showMonthly ? [cells.monthly ?? "", cells.monthlyReset ?? ""] : []),
    ...(showCredits ? [cells.credits ?? ""] : []),
    cells.score ?? "",
    ...(showFigures ? [cells.figures ?? ""] : []),
  ];
  const head = row({
    active: "ACTIVE",
    pin: "PIN",
    proxy: "PROXY",
    alias: "ALIAS",
    email: "EMAIL",
    state: "STATUS",
    daily: "DAILY LEFT",
    dailyReset: "DAILY RESET",
    weekly: "WEEKLY LEFT",
    weeklyReset: "WEEKLY RESET",
    monthly: "MONTHLY LEFT",
    monthlyReset: "MONTHLY RESET",
    credits: "CREDITS",
    score: "SCORE",
    figures: "FIGURES",
  });
  const lines = accounts.map((account) =>
    row({
      active: account.active ? "*" : "",
      pin: isPinned(account, status) ? "P" : "",
      proxy: account.proxy_name || "none",
      alias: account.alias,
      email: emailOf(account) || "-",
      state: stateOf(account),
      daily: percent(account.daily_left_pct),
      dailyReset: relative(account.daily_reset_at, nowMs),
      weekly: percent(account.weekly_left_pct),
      weeklyReset: relative(account.weekly_reset_at, nowMs),
      monthly: percent(account.monthly_left_pct),
      monthlyReset: relative(account.monthly_reset_at, nowMs),
      credits: creditsText(account),
      score: account.score.toFixed(3),
      figures: figuresOf(account),
    }),
  );
  const limits = (status.additional_limits ?? []).map((limit) => {
    const { short = NO_WINDOW, weekly = NO_WINDOW, monthly = NO_WINDOW } = limitWindows(limit);
    return row({
      alias: `${limit.limit_name || limit.limit_id} limit`,
      daily: percent(short.leftPct),
      dailyReset: relative(short.resetAt, nowMs),
      weekly: percent(weekly.leftPct),
      weeklyReset: relative(weekly.resetAt, nowMs),
      monthly: percent(monthly.leftPct),
      monthlyReset: relative(monthly.resetAt, nowMs),
    });
  });
  const mean = row({
    daily: meanOf(accounts, "daily_left_pct"),
    weekly: meanOf(accounts, "weekly_left_pct"),
    monthly: meanOf(accounts, "monthly_left_pct"),
  });
  return table([head, ...lines, head.map(() => "-"), mean, ...limits]);
}

function compact(status: StatusAnswer, nowMs: number): string {
  const blocks = status.accounts.map((account) => {
    const pinned = isPinned(account, status) ? " pinned" : "";
    const lines = [
      `${account.active ? "*" : ">"} ${account.alias} @ ${account.proxy_name || "none"}${pinned}`,
    ];
    if (account.email !== "") lines.push(`  ${emailOf(account)}`);
    const windows = [
      `daily ${percent(account.daily_left_pct)} (${relative(account.daily_reset_at, nowMs)})`,
      `weekly ${percent(account.weekly_left_pct)} (${relative(account.weekly_reset_at, nowMs)})`,
      ...(hasMonthly(account)
        ? [`monthly ${percent(account.monthly_left_pct)} (${relative(account.monthly_reset_at, nowMs)})`]
        : []),
      ...(hasCredits(account) ? [`credits ${creditsText(account)}`] : []),
      `score ${account.score.toFixed(3)}`,
    ];
    lines.push(`  ${windows.join("  ")}`);
    if (account.figures.length > 0) lines.push(`  figures ${figuresOf(account)}`);
    if (stateOf(account) !== "ready") lines.push(`  status ${stateOf(account)}`);
    return lines.join("\n");
  });
  const limits = (status.additional_limits ?? []).map((limit) => {
    const { short = NO_WINDOW, weekly = NO_WINDOW, monthly } = limitWindows(limit);
    const windows = [short, weekly, ...(monthly === undefined ? [] : [monthly])];
    const shown = windows.map(({ leftPct, resetAt }) => `${percent(leftPct)} (${relative(resetAt, nowMs)})`);
    return `${limit.limit_name || limit.limit_id} limit ${shown.join("  ")}\n`;
  });
  const { accounts } = status;
  const means = [
    `daily ${meanOf(accounts, "daily_left_pct")}`,
    `weekly ${meanOf(accounts, "weekly_left_pct")}`,
    ...(showsMonthly(status) ? [`monthly ${meanOf(accounts, "monthly_left_pct")}`] : []),
  ];
  const mean = `${means.join("  ")}\n`;
  return `${blocks.join("\n\n")}\n\n----\n${mean}${limits.join("")}`;
}

export interface TreeChild {
  /** 0: our own; more: a child of a child. */
  readonly depth: number;
  readonly child: ChildAnswer;
}

/** `children`, each with its own below it. */
export function treeOf(children: readonly ChildAnswer[], depth: number): TreeChild[] {
  return children.flatMap((child) => [{ depth, child }, ...treeOf(child.child_proxies ?? [], depth + 1)]);
}

/** As the Go program; a child of a child stands below it, indented. */
function wideChildren(children: readonly TreeChild[]): string {
  const rows = children.map(({ depth, child }) => [
    `${"  ".repeat(depth)}${child.name || "none"}`,
    child.url,
    childStateOf(child),
    child.score.toFixed(3),
    child.selected_target || "none",
    child.selection_reason || "none",
    child.last_error || "none",
  ]);
  return table([["NAME", "URL", "STATUS", "SCORE", "SELECTED", "REASON", "ERROR"], ...rows]);
}

function compactChildren(children: readonly TreeChild[]): string {
  const blocks = children.map(({ depth, child }) => {
    const indent = "  ".repeat(depth);
    const about = [
      ...(child.selected_target ? [`selected ${child.selected_target}`] : []),
      ...(child.selection_reason ? [`reason ${child.selection_reason}`] : []),
      ...(child.last_error ? [`error ${child.last_error}`] : []),
    ];
    const lines = [
      `- ${child.name || "none"}  ${childStateOf(child)}  score ${child.score.toFixed(3)}`,
      `  ${child.url}`,
      ...(about.length === 0 ? [] : [`  ${about.join("  ")}`]),
    ];
    return lines.map((line) => `${indent}${line}\n`).join("");
  });
  return `child proxies:\n${blocks.join("")}`;
}

/** `ready`, `unhealthy`, `cooldown(Ns)`, `unreachable`, `misconfigured`. */
export function childStateOf({ reachable, cooldown_seconds, healthy, next }: ChildAnswer): string {
  if (!reachable) return next === undefined ? "unreachable" : "misconfigured";
  if (cooldown_seconds > 0) return `cooldown(${cooldown_seconds}s)`;
  return healthy ? "ready" : "unhealthy";
}

export function isPinned(account: Account, status: StatusAnswer): boolean {
  const pinned = status.state.pinned_account_id;
  return account.pinned || (pinned !== undefined && (pinned === account.id || pinned === account.alias));
}

/** `ready`, `draining`, `disabled(why)`, `cooldown(Ns)`, `unhealthy`, `limited(why)` by its workspace. */
export function stateOf(account: Account): string {
  if (!account.enabled || account.disabled_reason !== "")
    return account.disabled_reason === "" ? "disabled" : `disabled(${account.disabled_reason})`;
  if (account.cooldown_seconds > 0) return `cooldown(${account.cooldown_seconds}s)`;
  if (!account.healthy) return "unhealthy";
  const { limit_reached_type: type, individual_limit: member } = account;
  if (type !== undefined && type !== "rate_limit_reached") return `limited(${type})`;
  if (member !== undefined && member.left_pct <= 0) return "limited(member limit)";
  return account.draining ? "draining" : "ready";
}

/** Where the figures of the main limit come from and how old they are, each once: `headers 5s`, `usage_api 40m (too old)`. */
function figuresOf({ figures }: Account): string {
  const told = figures
    .filter(({ window }) => window === "daily" || window === "weekly")
    .map(
      ({ source, age_seconds, outdated }) => `${source} ${age(age_seconds)}${outdated ? " (too old)" : ""}`,
    );
  return told.length === 0 ? "-" : [...new Set(told)].join(", ");
}

/** `5s`, `40m`, `3h`, `4d`. */
export function age(seconds: number): string {
  if (seconds < MINUTE_S) return `${seconds}s`;
  if (seconds < HOUR_S) return `${Math.round(seconds / MINUTE_S)}m`;
  return seconds < 2 * DAY_S ? `${Math.round(seconds / HOUR_S)}h` : `${Math.round(seconds / DAY_S)}d`;
}

function percent(value: number): string {
  return value < 0 ? "-" : `${value.toFixed(1)}%`;
}

/** True when an account or a limit has a monthly window. */
export function showsMonthly({ accounts, additional_limits: limits }: StatusAnswer): boolean {
  return (
    accounts.some(hasMonthly) || (limits ?? []).some((limit) => limitWindows(limit).monthly !== undefined)
  );
}

export function hasMonthly(account: Account): boolean {
  return account.monthly_left_pct >= 0 || account.windows?.includes("monthly") === true;
}

function hasCredits({ credits }: Account): boolean {
  return credits?.has_credits === true;
}

/** The e-mail address, with plan and workspace if two accounts share the address. */
export function emailOf({ email, workspace, plan_type: plan }: Account): string {
  if (workspace === undefined) return email;
  return `${email} (${plan === undefined ? "" : `${plan}, `}workspace ${workspace})`;
}

/** The balance, `unlimited`, or `-` without credits; `(not usable)` while the backend or the workspace refuses them. */
export function creditsText({ credits }: Account): string {
  if (credits === undefined || !credits.has_credits) return "-";
  const amount = credits.unlimited ? "unlimited" : String(credits.balance);
  return credits.usable ? amount : `${amount} (not usable)`;
}

type LeftField = "daily_left_pct" | "weekly_left_pct" | "monthly_left_pct";

function meanOf(accounts: readonly Account[], key: LeftField): string {
  return percent(meanLeft(accounts, key));
}

/** What the accounts in service have left on average, 0..100; -1 when it is known of none. */
export function meanLeft(accounts: readonly Account[], key: LeftField): number {
  const inService = accounts.filter(({ enabled, disabled_reason }) => enabled && disabled_reason === "");
  const known = inService.map((account) => account[key]).filter((value) => value >= 0);
  return known.length === 0 ? -1 : known.reduce((sum, value) => sum + value, 0) / known.length;
}

// The status document as the Go program prints it, for scripts: a table, or a compact layout if COLUMNS asks for it.

import { treeOf } from "../../core/child-words.ts";
import { limitWindows, NO_WINDOW } from "../../core/limit-windows.ts";
import type { StatusAnswer } from "../../core/status-schema.ts";
import {
  accountState,
  creditsText,
  emailOf,
  figuresText,
  hasCredits,
  hasMonthly,
  isPinned,
  type LeftField,
  meanLeft,
  percent,
  relative,
  showsMonthly,
} from "../../core/status-words.ts";
import { table } from "../terminal/table.ts";
import { compactChildren, wideChildren } from "./child-proxies.ts";

/** Narrower output gets the compact layout. */
const WIDE_COLUMNS = 140;

/** How the status is shown. */
export interface TableStyle {
  /** The width that the user asks for; undefined means no limit. */
  readonly columns: number | undefined;
  /** Whether to show where the figures come from. Scripts written for the Go program do not expect this column. */
  readonly figures: boolean;
}

/** The status as the Go program prints it: a table, or the compact layout below `WIDE_COLUMNS` columns. */
export function statusTable(status: StatusAnswer, { columns, figures }: TableStyle, nowMs: number): string {
  const shown = figures ? status : withoutFigures(status);
  const isWide = columns === undefined || columns >= WIDE_COLUMNS;
  const accounts =
    status.accounts.length === 0 ? "no accounts\n" : isWide ? wide(shown, nowMs) : compact(shown, nowMs);
  const children = treeOf(status.child_proxies, 0);
  if (children.length === 0) return accounts;
  return `${accounts}\n${isWide ? wideChildren(children) : compactChildren(children)}`;
}

// --- internal ---

function withoutFigures(status: StatusAnswer): StatusAnswer {
  return { ...status, accounts: status.accounts.map((account) => ({ ...account, figures: [] })) };
}

function wide(status: StatusAnswer, nowMs: number): string {
  const { accounts } = status;
  const showPin = accounts.some((account) => isPinned(account, status));
  // A proxy of the Go program reports no figures.
  const showFigures = accounts.some((account) => account.figures.length > 0);
  const showState = accounts.some((account) => accountState(account) !== "ready");
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
      state: accountState(account),
      daily: percent(account.daily_left_pct),
      dailyReset: relative(account.daily_reset_at, nowMs),
      weekly: percent(account.weekly_left_pct),
      weeklyReset: relative(account.weekly_reset_at, nowMs),
      monthly: percent(account.monthly_left_pct),
      monthlyReset: relative(account.monthly_reset_at, nowMs),
      credits: creditsText(account),
      score: account.score.toFixed(3),
      figures: figuresText(account),
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
    daily: meanOf(status, "daily_left_pct"),
    weekly: meanOf(status, "weekly_left_pct"),
    monthly: meanOf(status, "monthly_left_pct"),
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
    if (account.figures.length > 0) lines.push(`  figures ${figuresText(account)}`);
    if (accountState(account) !== "ready") lines.push(`  status ${accountState(account)}`);
    return lines.join("\n");
  });
  const limits = (status.additional_limits ?? []).map((limit) => {
    const { short = NO_WINDOW, weekly = NO_WINDOW, monthly } = limitWindows(limit);
    const windows = [short, weekly, ...(monthly === undefined ? [] : [monthly])];
    const shown = windows.map(({ leftPct, resetAt }) => `${percent(leftPct)} (${relative(resetAt, nowMs)})`);
    return `${limit.limit_name || limit.limit_id} limit ${shown.join("  ")}\n`;
  });
  const means = [
    `daily ${meanOf(status, "daily_left_pct")}`,
    `weekly ${meanOf(status, "weekly_left_pct")}`,
    ...(showsMonthly(status) ? [`monthly ${meanOf(status, "monthly_left_pct")}`] : []),
  ];
  const mean = `${means.join("  ")}\n`;
  return `${blocks.join("\n\n")}\n\n----\n${mean}${limits.join("")}`;
}

function meanOf(status: StatusAnswer, key: LeftField): string {
  return percent(meanLeft(status, key));
}

// The rows of the live status, with a bar for what is left of each window. Pure: the width is an argument.

import type { AccountAnswer, StatusAnswer } from "../../core/status-schema.ts";
import { WINDOW_KINDS } from "../../core/windows.ts";
import type { Paint } from "../terminal/colours.ts";
import { limitWindows, NO_WINDOW, type ShownWindow } from "./limit-windows.ts";
import { accountState, emailOf, isPinned, meanLeft, relative, showsMonthly } from "./status-text.ts";

/** An account, a limit or the mean in the frame. */
export interface Row {
  /** `*` for the active account, `P` for the pinned one. */
  readonly mark: string;
  readonly name: string;
  readonly email: string;
  /** One for each window column. */
  readonly windows: readonly ShownWindow[];
  /** Empty for `ready`. */
  readonly state: string;
}

/** The layout of all rows of a frame. */
export interface RowLayout {
  /** The headings above the bars. */
  readonly caption: string;
  /** The one or two lines of a row. */
  lines(row: Row): string[];
}

/** The headings of the window columns. A monthly column appears only if an account has that window. */
export function captionsOf(status: StatusAnswer): readonly string[] {
  return showsMonthly(status) ? [...CAPTIONS, "MONTHLY LEFT"] : CAPTIONS;
}

/** The row of an account. */
export function accountRow(account: AccountAnswer, status: StatusAnswer): Row {
  const isOwn = account.proxy_name === "" || account.proxy_name === status.proxy_name;
  const state = accountState(account);
  return {
    mark: `${account.active ? "*" : " "}${isPinned(account, status) ? "P" : " "}`,
    name: isOwn ? account.alias : `${account.alias} @ ${account.proxy_name}`,
    email: emailOf(account),
    windows: [
      { leftPct: account.daily_left_pct, resetAt: account.daily_reset_at },
      { leftPct: account.weekly_left_pct, resetAt: account.weekly_reset_at },
      { leftPct: account.monthly_left_pct, resetAt: account.monthly_reset_at },
    ],
    state: state === "ready" ? "" : state,
  };
}

/** The row with what the accounts in service have left on average. */
export function meanRow({ accounts }: StatusAnswer): Row {
  return {
    ...NO_ACCOUNT,
    name: "mean",
    windows: (["daily_left_pct", "weekly_left_pct", "monthly_left_pct"] as const).map((field) => ({
      leftPct: meanLeft(accounts, field),
      resetAt: 0,
    })),
  };
}

/** The rows of the additional limits of the pool. */
export function limitRows({ additional_limits: limits }: StatusAnswer): Row[] {
  return (limits ?? []).map((limit) => ({
    ...NO_ACCOUNT,
    name: `${limit.limit_name || limit.limit_id} limit`,
    windows: WINDOW_KINDS.map((kind) => limitWindows(limit)[kind] ?? NO_WINDOW),
  }));
}

/** The screen that a layout must fit. */
export interface RowFrame {
  readonly captions: readonly string[];
  readonly columns: number;
  readonly nowMs: number;
  readonly paint: Paint;
}

/** The layout for `rows`: one line each if they fit, otherwise two. */
export function layoutOf(rows: readonly Row[], frame: RowFrame): RowLayout {
  const { captions, columns, nowMs, paint } = frame;
  const count = captions.length;
  const widest = (cell: (row: Row) => string) =>
    Math.max(0, ...rows.map((row) => Bun.stringWidth(cell(row))));
  const longestName = widest(({ name }) => name);
  let nameWidth = Math.min(longestName, LONGEST_NAME);
  const emailWidth = widest(({ email }) => email);
  const stateWidth = Math.min(
    LONGEST_STATE,
    widest(({ state }) => state),
  );
  let room =
    columns -
    (INDENT + nameWidth + count * (GAP.length + cellWidth(SHORTEST_BAR, SHORT_RESET))) -
    (stateWidth === 0 ? 0 : GAP.length + stateWidth);
  if (room < 0) return twoLines(frame);
  // The remaining room goes to whole names, then to the e-mail address, the reset in words, and longer bars.
  const take = (wanted: number): boolean => {
    if (wanted > room) return false;
    room -= wanted;
    return true;
  };
  if (take(longestName - nameWidth)) nameWidth = longestName;
  const showEmail = emailWidth > 0 && take(GAP.length + emailWidth);
  const reset = take(count * (LONG_RESET - SHORT_RESET)) ? LONG_RESET : SHORT_RESET;
  const bar = Math.min(LONGEST_BAR, SHORTEST_BAR + Math.floor(room / count));
  const line = (mark: string, name: string, email: string, windows: readonly string[], state: string) =>
    [
      `${mark} ${fill(name, nameWidth)}`,
      ...(showEmail ? [fill(email, emailWidth)] : []),
      ...windows.map((window) => fill(window, cellWidth(bar, reset))),
      fit(state, LONGEST_STATE),
    ]
      .join(GAP)
      .trimEnd();
  const caption = line("  ", "", showEmail ? "EMAIL" : "", captions, stateWidth === 0 ? "" : "STATUS");
  const cell = (window: ShownWindow) => windowCell(window, { bar, reset }, nowMs, paint);
  return {
    caption: paint.dim(caption),
    lines: ({ mark, name, email, windows, state }) => [
      line(
        mark,
        mark.startsWith("*") ? paint.bold(name) : name,
        email,
        windows.slice(0, count).map(cell),
        paint.yellow(state),
      ),
    ],
  };
}

/** `text`, cut to `columns`. */
export function fit(text: string, columns: number): string {
  const cut = (end: number) => Bun.sliceAnsi(text, 0, end, end > ELLIPSIS.length ? ELLIPSIS : "");
  const nearly = cut(columns);
  // `sliceAnsi` keeps a character of two columns that starts in the last column.
  return Bun.stringWidth(nearly) <= columns ? nearly : cut(columns - 1);
}

// --- internal ---

const NO_ACCOUNT = { mark: "  ", email: "", state: "" };
const ELLIPSIS = "...";
const GAP = "  ";
/** The mark and a space. */
const INDENT = 3;
const CAPTIONS = ["DAILY LEFT", "WEEKLY LEFT"] as const;
/** Longer names would leave no room for the bars. */
const LONGEST_NAME = 24;
const LONGEST_STATE = 28;
/** Shorter bars say less than the percentage after them. */
const SHORTEST_BAR = 6;
/** The shortest bar in the layout with two lines. */
const LEAST_BAR = 3;
/** Longer bars are harder to compare. */
const LONGEST_BAR = 30;
/** The width of `59m` and `soon`. */
const SHORT_RESET = 4;
/** The width of `in 47 hours`. */
const LONG_RESET = 11;

function twoLines({ captions, columns, nowMs, paint }: RowFrame): RowLayout {
  const count = captions.length;
  const width = Math.floor((columns - INDENT - GAP.length * (count - 1)) / count);
  const bar = Math.min(LONGEST_BAR, width - cellWidth(0, SHORT_RESET));
  const indent = " ".repeat(INDENT);
  const joined = (cells: readonly string[]) =>
    `${indent}${cells.map((cell) => fill(cell, width)).join(GAP)}`.trimEnd();
  const cell = (window: ShownWindow) => windowCell(window, { bar, reset: SHORT_RESET }, nowMs, paint);
  return {
    caption: paint.dim(joined(captions)),
    lines: ({ mark, name, email, windows, state }) => {
      const suffix = state === "" ? "" : `${GAP}${fit(state, LONGEST_STATE)}`;
      const label = fit(name, Math.max(0, columns - INDENT - suffix.length));
      const head = `${mark} ${mark.startsWith("*") ? paint.bold(label) : label}${paint.yellow(suffix)}`;
      const hasRoom = email !== "" && Bun.stringWidth(head) + GAP.length + Bun.stringWidth(email) <= columns;
      return [hasRoom ? `${head}${GAP}${email}` : head, joined(windows.slice(0, count).map(cell))];
    },
  };
}

/** `[####--]  80% 3h`. */
function windowCell(
  { leftPct, resetAt }: ShownWindow,
  { bar, reset }: { readonly bar: number; readonly reset: number },
  nowMs: number,
  paint: Paint,
): string {
  const steps = bar < LEAST_BAR ? 0 : bar;
  const filled = leftPct < 0 ? 0 : Math.round((Math.min(100, leftPct) / 100) * steps);
  const rest = (leftPct < 0 ? " " : "-").repeat(steps - filled);
  const colour = leftPct >= PLENTY_PCT ? paint.green : leftPct >= LITTLE_PCT ? paint.yellow : paint.red;
  const when = resetAt <= 0 ? "" : relative(resetAt, nowMs);
  const shown = reset === LONG_RESET ? when : when.replace(/^in (\d+) ([mhd]).*$/, "$1$2");
  const drawn = steps === 0 ? "" : `[${colour("#".repeat(filled))}${paint.dim(rest)}] `;
  return `${drawn}${percentOf(leftPct).padStart(4)} ${shown}`.trimEnd();
}

/** Below these percentages a bar is yellow, then red. */
const PLENTY_PCT = 50;
const LITTLE_PCT = 20;

function cellWidth(bar: number, reset: number): number {
  return "[] 100% ".length + bar + reset;
}

/** Whole percents. Only 0 is shown as `0%`, and only 100 as `100%`. */
function percentOf(leftPct: number): string {
  if (leftPct < 0) return "-";
  const rounded = Math.round(leftPct);
  if (rounded === 0 && leftPct > 0) return "1%";
  return rounded === 100 && leftPct < 100 ? "99%" : `${rounded}%`;
}

function fill(text: string, width: number): string {
  const cut = fit(text, width);
  return cut + " ".repeat(Math.max(0, width - Bun.stringWidth(cut)));
}

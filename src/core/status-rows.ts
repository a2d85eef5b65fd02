// The rows of the status frame: what they say, without their layout. Pure.

import { type ShownState, shownState } from "./account-state.ts";
import { limitWindows, type ShownWindow } from "./limit-windows.ts";
import { type OPTION_HEADINGS, optionCells, optionsOfStatus } from "./option-words.ts";
import { WINDOW_LIMITS } from "./reason-words.ts";
import type { AccountAnswer, StatusAnswer } from "./status-schema.ts";
import { emailOf, figuresText, isPinned, meanLeft, showsMonthly } from "./status-words.ts";
import { WINDOW_KINDS } from "./windows.ts";

/** An account, an additional limit, or the pool. */
export interface FrameRow {
  readonly isActive: boolean;
  readonly isPinned: boolean;
  readonly name: string;
  readonly state: ShownState | undefined;
  /** One for each window column; undefined if there is nothing to show. */
  readonly windows: readonly (ShownWindow | undefined)[];
  /** The text columns, by their heading; a missing one is blank. */
  readonly texts: Readonly<Partial<Record<TextColumn, string>>>;
}

/** Headings of the columns that appear only if there is room for them, or with `--wide`. */
export type TextColumn =
  | "IN FLIGHT"
  | "SESSIONS"
  | "PLAN"
  | "CREDITS"
  | "RESETS"
  | "EMAIL"
  | "PROXY"
  | "SCORE"
  | "FIGURES"
  | (typeof OPTION_HEADINGS)[number];

/** All rows of a status document. */
export interface FrameRows {
  /** The headings of the window columns; a monthly one only if an account or a limit has that window. */
  readonly captions: readonly string[];
  readonly accounts: readonly FrameRow[];
  readonly limits: readonly FrameRow[];
  readonly pool: FrameRow;
}

export function frameRows(status: StatusAnswer, nowMs: number): FrameRows {
  const { accounts, additional_limits: limits } = status;
  const kinds = showsMonthly(status) ? WINDOW_NAMES : WINDOW_NAMES.slice(0, 2);
  const rows = accounts.map((account) => accountRow(account, status, nowMs));
  return {
    captions: kinds.map((name) => WINDOW_LIMITS[name]),
    accounts: rows,
    limits: (limits ?? []).map((limit) => ({
      ...NO_ACCOUNT,
      name: `${limit.limit_name || limit.limit_id} limit`,
      windows: WINDOW_KINDS.map((kind) => limitWindows(limit)[kind]),
    })),
    pool: poolRow(status, rows),
  };
}

// --- internal ---

const WINDOW_NAMES = ["daily", "weekly", "monthly"] as const;

const NO_ACCOUNT = { isActive: false, isPinned: false, state: undefined, texts: {} } as const;

function accountRow(account: AccountAnswer, status: StatusAnswer, nowMs: number): FrameRow {
  const isOwn = account.proxy_name === "" || account.proxy_name === status.proxy_name;
  const state = shownState(account, status.proxy_name, nowMs);
  const { credits, reset_credits: resets } = account;
  return {
    isActive: account.active,
    isPinned: isPinned(account, status),
    name: isOwn ? account.alias : `${account.alias} @ ${account.proxy_name}`,
    state,
    windows: WINDOW_NAMES.map((name) => (state.isDead ? undefined : windowOf(account, name))),
    texts: {
      "IN FLIGHT": String(account.in_flight),
      ...(account.sessions === undefined ? {} : { SESSIONS: String(account.sessions) }),
      ...(account.plan_type === undefined ? {} : { PLAN: account.plan_type }),
      ...(credits?.has_credits === true
        ? { CREDITS: credits.unlimited ? "unlimited" : String(credits.balance) }
        : {}),
      ...(resets === undefined || resets.count === 0 ? {} : { RESETS: String(resets.count) }),
      ...(account.email === "" ? {} : { EMAIL: emailOf(account) }),
      PROXY: account.proxy_name || status.proxy_name,
      SCORE: account.score.toFixed(3),
      ...(account.figures.length === 0 ? {} : { FIGURES: figuresText(account) }),
      ...optionCells(optionsOfStatus(account)),
    },
  };
}

/** A window that the account may have; undefined if the backend has listed its windows without it. */
function windowOf(account: AccountAnswer, name: (typeof WINDOW_NAMES)[number]): ShownWindow | undefined {
  const leftPct = account[`${name}_left_pct`];
  const isMissing = leftPct < 0 && (name === "monthly" || account.windows?.includes(name) === false);
  return isMissing ? undefined : { leftPct, resetAt: account[`${name}_reset_at`] };
}

/** What the pool may use of the accounts in service on average, and how many of all accounts can serve. */
function poolRow(status: StatusAnswer, rows: readonly FrameRow[]): FrameRow {
  const { accounts } = status;
  const serving = rows.filter(({ state }) => state?.canServe).length;
  const sum = (values: readonly number[]) => String(values.reduce((total, value) => total + value, 0));
  const sessions = accounts.flatMap((account) => account.sessions ?? []);
  return {
    ...NO_ACCOUNT,
    name: "pool",
    state: {
      level: serving === 0 ? "bad" : "good",
      canServe: serving > 0,
      wordings: [`${serving} of ${rows.length} ready`, `${serving}/${rows.length}`],
    },
    windows: (["daily_left_pct", "weekly_left_pct", "monthly_left_pct"] as const).map((field) => {
      const leftPct = meanLeft(status, field);
      return leftPct < 0 ? undefined : { leftPct, resetAt: 0 };
    }),
    texts: {
      "IN FLIGHT": sum(accounts.map(({ in_flight }) => in_flight)),
      ...(sessions.length === 0 ? {} : { SESSIONS: sum(sessions) }),
    },
  };
}

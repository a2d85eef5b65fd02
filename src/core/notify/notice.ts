// A notice says in one line that a trouble began or ended.

import { oneLine } from "../../printable.ts";
import { backWords } from "../time-words.ts";
import type { WindowKind } from "../windows.ts";
import type { PoolCounts, Trouble, TroubleKind } from "./trouble.ts";

/** The kinds of notices, as `notify.events` and the JSON name them. */
export const NOTICE_KINDS = [
  "account_exhausted",
  "account_back",
  "pool_low",
  "pool_recovered",
  "pool_exhausted",
  "pool_back",
  "login_required",
  "login_restored",
  "child_lost",
  "child_back",
  "codex_bypassed",
  "credit_spent",
] as const;

export type NoticeKind = (typeof NOTICE_KINDS)[number];

export interface Notice {
  readonly kind: NoticeKind;
  /** For a person: one line, without e-mail addresses and characters that control a terminal. */
  readonly text: string;
  /** Whom it is about: the alias of an account or the name of a child proxy, as safe as `text`. */
  readonly name: string | undefined;
  /** When the trouble is expected to end, Unix ms. */
  readonly backAtMs: number | undefined;
  readonly window: WindowKind | undefined;
  /** What the pool has left, whole percent. */
  readonly leftPercent: number | undefined;
}

export interface NoticeView {
  readonly nowMs: number;
  /** Follows each command in a text: ` --root DIR` if the root is not the default one, otherwise "". */
  readonly rootFlag: string;
}

/** The notice about a trouble that has just become present or absent; undefined if its end is not worth one. */
export function noticeOf(trouble: Trouble, view: NoticeView): Notice | undefined {
  const isOver = trouble.state === "absent";
  const kind = isOver ? ENDS[trouble.kind] : trouble.kind;
  if (kind === undefined) return undefined;
  const name = trouble.name === undefined ? undefined : shownName(trouble.name);
  return {
    kind,
    text: TEXTS[kind](trouble, name ?? "", view),
    name,
    backAtMs: isOver ? undefined : trouble.backAtMs,
    window: trouble.window,
    leftPercent: trouble.leftPercent,
  };
}

/** `name` as a notification may show it: one short line. An e-mail address becomes `e***@***`. */
export function shownName(name: string): string {
  const line = oneLine(name).trim();
  const short = line.length > LONGEST_NAME ? `${line.slice(0, LONGEST_NAME).toWellFormed()}...` : line;
  return withoutEmails(short);
}

/** `text` with every e-mail address as `e***@***`. */
export function withoutEmails(text: string): string {
  return text.replace(/([^\s@])[^\s@]*@[^\s@]+/g, "$1***@***");
}

/** `, back at 05:41 (in 4 h)`; empty if the end is unknown or past. */
export function backText(backAtMs: number | undefined, nowMs: number, before: string): string {
  return backAtMs === undefined || backAtMs <= nowMs ? "" : `${before}${backWords(backAtMs, nowMs)[0]}`;
}

// --- internal ---

/** Far longer than a sensible alias. */
const LONGEST_NAME = 64;

/** The notice for the end of each trouble. */
const ENDS: Readonly<Record<TroubleKind, NoticeKind | undefined>> = {
  account_exhausted: "account_back",
  login_required: "login_restored",
  child_lost: "child_back",
  pool_low: "pool_recovered",
  pool_exhausted: "pool_back",
  codex_bypassed: undefined,
  credit_spent: undefined,
};

const WINDOWS: Readonly<Record<WindowKind, string>> = {
  short: "5-hour",
  weekly: "weekly",
  monthly: "monthly",
};

type Wording = (trouble: Trouble, name: string, view: NoticeView) => string;

const TEXTS: Readonly<Record<NoticeKind, Wording>> = {
  account_exhausted: ({ window, isAtFloor, backAtMs }, name, { nowMs }) =>
    `${name}: ${isAtFloor ? "at its floor" : `${window === undefined ? "usage" : WINDOWS[window]} limit reached`}${backText(backAtMs, nowMs, ", ")}`,
  account_back: (_, name) => `${name} is back: it can serve turns again`,
  pool_low: ({ leftPercent, window }) => `The pool has ${leftPercent} % of its ${windowWords(window)} left`,
  pool_recovered: ({ leftPercent, window }) =>
    `The pool has ${leftPercent} % of its ${windowWords(window)} left again`,
  pool_exhausted: ({ counts, backAtMs }, _, { nowMs, rootFlag }) =>
    `${shortageWords(counts, rootFlag)}${backText(backAtMs, nowMs, `; ${counts?.total === 1 ? "it" : "the first"} is `)}`,
  pool_back: ({ counts }) => `The pool can serve turns again${readyWords(counts)}`,
  login_required: ({ isOther }, name, { rootFlag }) =>
    isOther
      ? `${name} is out of service; see why: codexlb account show${rootFlag} ${aliasFor(name)}`
      : `${name} must log in again: codexlb account login${rootFlag} ${aliasFor(name)}`,
  login_restored: (_, name) => `${name}: the login works again`,
  child_lost: (_, name, { rootFlag }) =>
    `Child proxy ${name} is not reachable; check with: codexlb doctor${rootFlag}`,
  child_back: (_, name) => `Child proxy ${name} is reachable again`,
  codex_bypassed: (_trouble, _name, { rootFlag }) =>
    `A run of Codex bypassed the proxy, so its turns did not use the accounts; check with: codexlb doctor${rootFlag}`,
  credit_spent: (_, name) => `codexlb spent a reset credit of ${name}, because every account was exhausted`,
};

function windowWords(window: WindowKind | undefined): string {
  return window === undefined ? "quota" : `${WINDOWS[window]} quota`;
}

function membersWords({ total, hasChildren }: PoolCounts): string {
  return hasChildren ? "accounts and child proxies" : total === 1 ? "account" : "accounts";
}

function shortageWords(counts: PoolCounts | undefined, rootFlag: string): string {
  if (counts === undefined) return "No account can serve turns";
  const { total, exhausted, keptBack, dead } = counts;
  const parts = [
    ...shortagePart(exhausted - keptBack, ["has reached a limit", "have reached a limit"]),
    ...shortagePart(keptBack, ["is kept back by its floor", "are kept back by their floors"]),
    ...shortagePart(dead, ["needs attention", "need attention"]),
  ];
  const [part] = parts;
  if (dead === 0 && part?.count === total)
    return total === 1
      ? `The only account ${part.words}`
      : `All ${total} ${membersWords(counts)} ${part.words}`;
  const words = parts.map(({ count, words }) => `${count} ${words}`).join(", ");
  return `No account can serve turns: ${words}${dead === 0 ? "" : ` (codexlb status${rootFlag})`}`;
}

/** What is said of `count` accounts, in the singular or the plural; nothing about none. */
function shortagePart(
  count: number,
  [one, many]: readonly [string, string],
): { readonly count: number; readonly words: string }[] {
  return count === 0 ? [] : [{ count, words: count === 1 ? one : many }];
}

function readyWords(counts: PoolCounts | undefined): string {
  if (counts === undefined || counts.total === 0) return "";
  const { ready, total } = counts;
  return `: ${ready} of ${total} ${membersWords(counts)} ${ready === 1 ? "is" : "are"} ready`;
}

/** The alias in a command to copy. One that is masked, or that a shell would change, is left to the reader. */
function aliasFor(name: string): string {
  return /^[\w.-]+$/.test(name) && !name.startsWith("-") ? name : "ALIAS";
}

// One message for one or several notices.

import { FIELD_NAMES } from "../status-quota.ts";
import { backText, type Notice, type NoticeKind, shownName } from "./notice.ts";

/** A message as the channels get it. */
export interface NotifyMessage {
  /** `codexlb laptop`. */
  readonly title: string;
  /** For a person: one line for each notice, or for each group of similar ones. */
  readonly text: string;
  /** The same for a program. */
  readonly json: NotifyDocument;
}

/** The JSON of a message. Names and texts contain no e-mail addresses. */
export interface NotifyDocument {
  /** That of the only notice, `digest` for several, or `test`. */
  readonly kind: NoticeKind | "digest" | "test";
  readonly proxy: string;
  readonly text: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** At most 50. */
  readonly notices: readonly NoticeDocument[];
}

export interface NoticeDocument {
  readonly kind: NoticeKind;
  readonly text: string;
  /** The alias of the account. */
  readonly account?: string;
  /** The name of the child proxy. */
  readonly child_proxy?: string;
  /** `daily`, `weekly` or `monthly`. */
  readonly window?: string;
  /** ISO 8601, UTC. */
  readonly back_at?: string;
  readonly left_percent?: number;
}

/** The message for `notices`, of which there is at least one. `proxyName` may be any text. */
export function messageFor(notices: readonly Notice[], proxyName: string, nowMs: number): NotifyMessage {
  const sorted = [...notices].sort((a, b) => rankOf(a) - rankOf(b));
  const [only, ...others] = sorted;
  const kind = only !== undefined && others.length === 0 ? only.kind : "digest";
  return messageWith(kind, linesOf(sorted, nowMs).join("\n"), sorted, proxyName, nowMs);
}

/** The message of `codexlb notify test`. */
export function testMessage(proxyName: string, nowMs: number): NotifyMessage {
  return messageWith("test", "This is a test: notifications of codexlb arrive here", [], proxyName, nowMs);
}

// --- internal ---

/** Receivers limit the size of a message. */
const MOST_NOTICES = 50;
/** More notices of one kind become one line. */
const MOST_LINES_OF_A_KIND = 3;
/** How many names such a line has. */
const MOST_NAMES = 3;

/** The most important ones first. */
const ORDER: readonly NoticeKind[] = [
  "pool_exhausted",
  "pool_back",
  "pool_low",
  "pool_recovered",
  "login_required",
  "login_restored",
  "child_lost",
  "child_back",
  "account_exhausted",
  "account_back",
  "credit_spent",
  "codex_bypassed",
];

function rankOf({ kind }: Notice): number {
  return ORDER.indexOf(kind);
}

function messageWith(
  kind: NotifyDocument["kind"],
  text: string,
  notices: readonly Notice[],
  proxyName: string,
  nowMs: number,
): NotifyMessage {
  const proxy = shownName(proxyName);
  const at = new Date(nowMs).toISOString();
  const shown = notices.slice(0, MOST_NOTICES).map(documentOf);
  return { title: `codexlb ${proxy}`.trim(), text, json: { kind, proxy, text, at, notices: shown } };
}

function documentOf({ kind, text, name, window, backAtMs, leftPercent }: Notice): NoticeDocument {
  const isChild = kind === "child_lost" || kind === "child_back";
  return {
    kind,
    text,
    ...(name === undefined ? {} : isChild ? { child_proxy: name } : { account: name }),
    ...(window === undefined ? {} : { window: FIELD_NAMES[window] }),
    ...(backAtMs === undefined ? {} : { back_at: new Date(backAtMs).toISOString() }),
    ...(leftPercent === undefined ? {} : { left_percent: leftPercent }),
  };
}

function linesOf(notices: readonly Notice[], nowMs: number): string[] {
  return ORDER.flatMap((kind) => {
    const group = notices.filter((notice) => notice.kind === kind);
    return group.length > MOST_LINES_OF_A_KIND
      ? [groupLine(kind, group, nowMs)]
      : group.map(({ text }) => text);
  });
}

/** Only accounts and child proxies have more than one notice of a kind. */
const GROUPS: Readonly<Partial<Record<NoticeKind, string>>> = {
  account_exhausted: "accounts have reached a limit",
  account_back: "accounts are back",
  login_required: "accounts must log in again",
  login_restored: "logins work again",
  child_lost: "child proxies are not reachable",
  child_back: "child proxies are reachable again",
};

/** `11 accounts have reached a limit: a, b, c and 8 more; the first is back at 05:41 (in 4 h)`. */
function groupLine(kind: NoticeKind, group: readonly Notice[], nowMs: number): string {
  const names = group.slice(0, MOST_NAMES).map(({ name = "" }) => name);
  const backs = group.map(({ backAtMs }) => backAtMs).filter((back) => back !== undefined);
  const first = backs.length === 0 ? undefined : Math.min(...backs);
  const what = GROUPS[kind] ?? kind;
  return `${group.length} ${what}: ${names.join(", ")} and ${group.length - names.length} more${backText(first, nowMs, "; the first is ")}`;
}

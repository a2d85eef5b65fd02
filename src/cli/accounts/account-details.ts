// The details of one account as text for scripts, for `codexlb account show` in a pipe.

import type { AccountDetails } from "../../auth/account-details.ts";
import { limitWindows } from "../../core/limit-windows.ts";
import { optionTexts } from "../../core/option-words.ts";
import { reasonWords, switchText } from "../../core/reason-words.ts";
import { creditCountWords } from "../../core/reset-credit-words.ts";
import { accountState, creditsText, hasMonthly, relative, spentWords } from "../../core/status-words.ts";
import { ago } from "../../core/time-words.ts";
import { oneLine, shortLine } from "../../printable.ts";
import { table } from "../terminal/table.ts";

/** Returns a block of lines. The times of the events are UTC. */
export function accountView(details: AccountDetails, nowMs: number): string {
  const { status, sessions, switches, events } = details;
  const rows: [string, string][] = [
    ["account", accountOf(details)],
    ["home", details.home],
    ["state", stateLine(details)],
    ...WINDOWS.filter((name) => (name === "monthly" ? hasMonthly(status) : status.api_key === undefined)).map(
      (name): [string, string] => [name, windowOf(status, name, nowMs)],
    ),
    ...(status.additional_limits ?? []).map((limit): [string, string] => [
      `${limit.limit_name || limit.limit_id} limit`,
      limitLine(limit),
    ]),
    ...spendingRows(status, nowMs),
    ...resetCreditRows(status, nowMs),
    ...apiKeyRows(status),
    ...(details.outbound_proxy === undefined
      ? []
      : [["outbound proxy", details.outbound_proxy] satisfies [string, string]]),
    ...optionTexts(status, details.options).map((text): [string, string] => ["option", text]),
    ["used", `${ago(status.last_used_at_ms, nowMs)}; ${status.in_flight} in flight`],
    [
      "sessions",
      sessions.count === 0 ? "none" : `${sessions.count}: ${sessionList(sessions.latest, sessions.count)}`,
    ],
  ];
  const head = oneLine(`${status.alias}${status.proxy_name === "" ? "" : ` @ ${status.proxy_name}`}`);
  const lines = table(rows.map(([name, value]) => [`  ${name}`, value]));
  // Oldest first, like the events.
  const moves = switches.map(switchLine).reverse();
  return `${head}\n${lines}${history("recent switches", moves)}${history("recent events", events.map(eventLine))}`;
}

// --- internal ---

function accountOf({ status, chatgpt_account_id }: AccountDetails): string {
  if (status.api_key !== undefined) return "API key";
  const plan = status.plan_type === undefined ? "plan unknown" : `plan ${status.plan_type}`;
  const workspace = chatgpt_account_id === undefined ? [] : [`workspace ${chatgpt_account_id}`];
  return [status.email || "no e-mail address", plan, ...workspace].join(", ");
}

function stateLine({ status }: AccountDetails): string {
  const reason = status.cooldown_reason === undefined ? "" : ` (${reasonWords(status.cooldown_reason)})`;
  return [
    `${accountState(status)}${status.cooldown_seconds > 0 ? reason : ""}`,
    ...(status.active ? ["active"] : []),
    ...(status.pinned ? ["pinned"] : []),
    `score ${status.score.toFixed(3)}`,
  ].join(", ");
}

function apiKeyRows({ api_key: apiKey }: AccountDetails["status"]): [string, string][] {
  if (apiKey === undefined) return [];
  return [
    ["API key", `for ${apiKey.base_url}`],
    ["cost", spentWords(apiKey)],
  ];
}

const WINDOWS = ["daily", "weekly", "monthly"] as const;

function limitLine(limit: NonNullable<AccountDetails["status"]["additional_limits"]>[number]): string {
  const windows = Object.entries(limitWindows(limit)).flatMap(([kind, window]) =>
    window === undefined ? [] : [`${kind === "short" ? "daily" : kind} ${left(window.leftPct)}`],
  );
  const shown = windows.length === 0 ? left(-1) : windows.join(", ");
  return limit.cooldown_seconds > 0 ? `${shown}, cooldown(${limit.cooldown_seconds}s)` : shown;
}

/** Credits, the member limit and workspace restrictions, as rows. */
function spendingRows(status: AccountDetails["status"], nowMs: number): [string, string][] {
  const { credits, individual_limit: limit, limit_reached_type: type } = status;
  const resets =
    limit !== undefined && limit.reset_at * 1000 > nowMs ? `, resets ${relative(limit.reset_at, nowMs)}` : "";
  return [
    ...(credits?.has_credits ? [["credits", creditsText(status)] satisfies [string, string]] : []),
    ...(limit === undefined
      ? []
      : [["member limit", `${left(limit.left_pct)}${resets}`] satisfies [string, string]]),
    ...(status.spend_control_reached
      ? [
          ["spend control", "the workspace has reached the spend limit set by its owner"] satisfies [
            string,
            string,
          ],
        ]
      : []),
    ...(type === undefined ? [] : [["limit reached", type] satisfies [string, string]]),
  ];
}

/** The reset credits, with the age of the figure. */
function resetCreditRows(
  { reset_credits: resets }: AccountDetails["status"],
  nowMs: number,
): [string, string][] {
  if (resets === undefined) return [];
  const age = Math.max(0, Math.round((nowMs - resets.as_of_ms) / 1000));
  return [["reset credits", `${creditCountWords(resets, nowMs)} (usage_api, ${age} s old)`]];
}

function windowOf(
  { windows, ...status }: AccountDetails["status"],
  name: (typeof WINDOWS)[number],
  nowMs: number,
): string {
  if (windows !== undefined && !windows.includes(name)) return "no such window";
  const percent = status[`${name}_left_pct`];
  const resetAt = status[`${name}_reset_at`];
  const figure = status.figures.find(({ window }) => window === name);
  const source =
    figure === undefined
      ? ""
      : ` (${figure.source}, ${figure.age_seconds} s old${figure.outdated ? ": too old" : ""})`;
  return `${left(percent)}${resetAt * 1000 > nowMs ? `, resets ${relative(resetAt, nowMs)}` : ""}${source}`;
}

function left(percent: number): string {
  return percent < 0 ? "unknown" : `${percent.toFixed(1)} % left`;
}

function sessionList(latest: readonly string[], count: number): string {
  return `${latest.join(", ")}${count > latest.length ? ", …" : ""}`;
}

function history(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `\n${title}\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

function switchLine(one: AccountDetails["switches"][number]): string {
  return shortLine(`${utcSeconds(new Date(one.at_ms).toISOString())}  ${switchText(one, "->")}`);
}

function eventLine({ ts, event, fields }: AccountDetails["events"][number]): string {
  const details = Object.entries(fields)
    .filter(([name]) => !OWN_FIELDS.has(name))
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return shortLine([utcSeconds(ts), event, ...details].join("  "));
}

/** `ts`, an ISO time, without the fraction of the second. */
function utcSeconds(ts: string): string {
  return ts.replace(/\.\d+Z$/, "Z");
}

/** The fields that name the account, which the reader knows. */
const OWN_FIELDS: ReadonlySet<string> = new Set(["account_id", "account_alias", "alias"]);

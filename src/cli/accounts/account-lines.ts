// One account in words, for `codexlb account show` on a terminal. Pure.

import type { AccountDetails } from "../../auth/account-details.ts";
import { type ShownState, shownState } from "../../core/account-state.ts";
import { limitName, paceWords, windowWords } from "../../core/forecast/forecast-words.ts";
import { optionTexts } from "../../core/option-words.ts";
import { ago, until } from "../../core/time-words.ts";
import { shortLine } from "../../printable.ts";
import { wrappedLines } from "../../wrapped-lines.ts";
import { nextStepOf } from "../status/next-step.ts";
import { stateBrush } from "../status/state-brush.ts";
import { styleOf, type TextStyle } from "../terminal/glyphs.ts";
import { historyTexts } from "./account-history.ts";
import { limitTexts } from "./account-limits.ts";
import { type SectionText, sectionLines } from "./account-section.ts";

/** What the lines are drawn on. */
export interface AccountCanvas {
  readonly columns: number;
  readonly colour: boolean;
  /** True if the terminal shows UTF-8. */
  readonly utf8: boolean;
  readonly nowMs: number;
}

/** The lines for `details`. Only a path, a URL or a command may be wider than the canvas; it then has its own line. */
export function accountLines(details: AccountDetails, canvas: AccountCanvas): string[] {
  const { columns, nowMs } = canvas;
  const style = styleOf(canvas);
  const { status } = details;
  // Details come from the proxy that has the account.
  const state = shownState(status, status.proxy_name, nowMs);
  const sections: readonly (readonly [string, readonly SectionText[]])[] = [
    ["Account", plain(ownerTexts(details))],
    ["State", plain([stateText(details, state, style)])],
    ["Next step", plain(nextStepOf(status.alias, state))],
    ["Limits", state.isDead ? [] : limitTexts(status, style, nowMs)],
    ["Forecast", state.isDead ? [] : forecastTexts(details, nowMs)],
    ["Activity", plain([useText(details, nowMs)])],
    ["Sessions", plain([sessionText(details)])],
    ["Login", plain(loginText(details, nowMs))],
    ["Options", plain(optionTexts(status, details.options))],
    ["Settings", plain(settingTexts(details))],
    ["Recent", historyTexts(details, style, nowMs)],
  ];
  const proxy = status.proxy_name === "" ? "" : ` on ${status.proxy_name}`;
  return [
    ...wrappedLines(shortLine(`${status.alias}${proxy}`), { columns }).map(style.paint.bold),
    ...sections.flatMap(([label, texts]) => sectionLines(label, texts, columns, style)),
  ];
}

// --- internal ---

function ownerTexts({ status, chatgpt_account_id: workspace }: AccountDetails): string[] {
  if (status.api_key !== undefined) return [`API key for ${shortLine(status.api_key.base_url)}`];
  const plan = status.plan_type === undefined ? "plan unknown" : `${status.plan_type} plan`;
  return [
    `${status.email || "no e-mail address"}, ${plan}`,
    ...(workspace === undefined ? [] : [`workspace ${shortLine(workspace)}`]),
  ];
}

function stateText({ status }: AccountDetails, state: ShownState, { paint }: TextStyle): string {
  const { wordings, command } = state;
  // The command is the next step.
  const words = command === undefined ? wordings[0] : (wordings[1] ?? wordings[0]);
  const roles = [
    ...(status.pinned ? ["pinned: all turns use it while it is available"] : []),
    ...(status.active ? ["served the last turn"] : []),
  ];
  return [stateBrush(state.level, paint)(words), ...roles].join("; ");
}

/** `Weekly limit  `, then `14%/day, reached Tue 14:00 (between Tue 09:00 and the reset)`. */
export function forecastTexts({ status: { forecast = [] } }: AccountDetails, nowMs: number): SectionText[] {
  const width = Math.max(0, ...forecast.map((one) => limitName(one).length));
  return forecast.map((one) => {
    const pace = one.percent_per_hour === undefined ? "" : `${paceWords(one)}, `;
    return { first: `${limitName(one).padEnd(width)}  `, text: `${pace}${windowWords(one, nowMs)[0]}` };
  });
}

function useText({ status }: AccountDetails, nowMs: number): string {
  const { in_flight: count } = status;
  const requests = `${count === 0 ? "no" : count} ${count === 1 ? "request" : "requests"} in flight`;
  const last =
    status.last_used_at_ms === 0 ? "never used" : `last used ${ago(status.last_used_at_ms, nowMs)}`;
  return `${requests}, ${last}`;
}

function sessionText({ sessions: { count, latest } }: AccountDetails): string {
  if (count === 0) return "none";
  return `${count} on this account; latest: ${latest.map((one) => shortLine(one)).join(", ")}`;
}

function loginText({ login }: AccountDetails, nowMs: number): string[] {
  if (login === undefined) return [];
  const { signed_in_at_ms: signedIn, refreshed_at_ms: refreshed, expires_at_ms: expires } = login;
  const parts = [
    ...(signedIn === undefined ? [] : [`logged in ${ago(signedIn, nowMs)}`]),
    ...(refreshed === undefined ? [] : [`tokens renewed ${ago(refreshed, nowMs)}`]),
    ...(expires === undefined
      ? []
      : [expires <= nowMs ? "access token expired" : `access token expires ${until(expires, nowMs)}`]),
    ...(login.renewable ? [] : ["cannot be renewed"]),
  ];
  return parts.length === 0 ? [] : [parts.join(", ")];
}

/** Where the files and the settings of the account are. */
function settingTexts({ home, settings_file: file, outbound_proxy: proxy }: AccountDetails): string[] {
  return [
    `files in ${shortLine(home)}`,
    ...(file === undefined ? [] : [`settings for Codex in ${shortLine(file)}`]),
    proxy === undefined
      ? "no outbound proxy of its own"
      : `outbound proxy ${shortLine(proxy)} (from codexlb account set)`,
  ];
}

/** The texts as section texts without `first`. */
function plain(texts: readonly string[]): SectionText[] {
  return texts.map((text) => ({ text }));
}

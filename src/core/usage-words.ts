// The names and the numbers of a usage report, in few columns. The dashboard's page uses this file, so it imports no
// values from the report.

import { counted } from "./count-words.ts";
import type { UsageFilter, UsageFilters, UsageGrouping, UsageLine, UsageReport } from "./usage-report.ts";

/** The sum of a line's input and output tokens. */
export function tokensOf({
  input_tokens,
  output_tokens,
}: Pick<UsageLine, "input_tokens" | "output_tokens">): number {
  return input_tokens + output_tokens;
}

/** What the group without a name is called in a report by `by`. */
export function unnamedGroup(by: UsageGrouping): string {
  return UNNAMED[by];
}

/**
 * The ids of sessions, shortened: of a UUID only the beginning, which has the time of Codex's sessions. All in full if
 * two of them would then be the same.
 */
export function shortSessions(ids: readonly string[]): readonly string[] {
  const short = ids.map((id) => (UUID.test(id) ? id.slice(0, SHORT_SESSION) : id));
  return new Set(short).size === short.length ? short : ids;
}

/** The last two parts of a directory: `src/shop`. */
export function shortProject(path: string): string {
  return path.split("/").slice(-2).join("/");
}

/** What a report is limited to: `only account alice, project shop`; "" if it has all turns. */
export function filterWords(filters: UsageFilters): string {
  const words = Object.entries(FILTER_WORDS).flatMap(([name, word]) => {
    const value = filters[name as UsageFilter];
    return value === undefined ? [] : [`${word} ${value || unnamedGroup(name as UsageFilter)}`];
  });
  return words.length === 0 ? "" : `only ${words.join(", ")}`;
}

/** What the filters are called. */
export const FILTER_WORDS: Readonly<Record<UsageFilter, string>> = {
  account: "account",
  model: "model",
  project: "project",
  session: "session",
  key: "client key",
};

/** From when on a report by session, or of one session, is complete. `keepDays`: how long single turns are kept. */
export function sessionNote(keepDays: number): string {
  return `Sessions are known for the last ${keepDays === 1 ? "day" : `${keepDays} days`}.`;
}

/** A note about costs at prices of the user's own. */
export const OWN_PRICES_NOTE = "A model with a price in config.toml counts at that price.";

/** What a reader has to know about the costs in a report with this total. */
export function costNotes({
  total,
  prices_as_of,
  uses_own_prices,
}: Pick<UsageReport, "total" | "prices_as_of" | "uses_own_prices">): string[] {
  return [
    ...(total.turns === 0 ? [] : [`Cost: an estimate, at OpenAI's API prices of ${prices_as_of}.`]),
    ...(uses_own_prices ? [OWN_PRICES_NOTE] : []),
    ...(total.unpriced_turns === 0
      ? []
      : [`+ Excludes ${counted(total.unpriced_turns, "turn")} whose model has no known price.`]),
  ];
}

/** `950`, `12.3k`, `4.56M`: three digits at most, rounded. */
export function compactNumber(value: number): string {
  for (const [limit, unit] of UNITS)
    if (value < limit * 999.5) {
      const scaled = value / limit;
      if (limit === 1) return String(Math.round(value));
      return `${scaled < 9.995 ? scaled.toFixed(2) : scaled < 99.95 ? scaled.toFixed(1) : Math.round(scaled)}${unit}`;
    }
  return `${Math.round(value / 1e9)}G`;
}

/** `80%`; `-` if the whole is 0. */
export function shareText(part: number, whole: number): string {
  return whole === 0 ? "-" : `${Math.round((100 * part) / whole)}%`;
}

/** `850 ms`, `2.4 s`, `75 s`. */
export function shortDuration(ms: number): string {
  if (ms < 1_000) return `${ms} ms`;
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 1_000)} s`;
}

/** `$1.20`; `$1.20+` if some turns have no known price, and `-` if there is nothing to estimate. */
export function costText({ turns, estimated_cost_usd: usd, unpriced_turns: unpriced }: UsageLine): string {
  if (usd === 0 && (turns === 0 || unpriced > 0)) return "-";
  const amount = usd > 0 && usd < 0.005 ? "<$0.01" : `$${usd < 1_000 ? usd.toFixed(2) : Math.round(usd)}`;
  return `${amount}${unpriced > 0 ? "+" : ""}`;
}

// --- internal ---

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
const SHORT_SESSION = 13;

const UNNAMED: Readonly<Record<UsageGrouping, string>> = {
  day: "unknown",
  account: "none",
  model: "unknown",
  project: "unknown",
  session: "none",
  key: "no key",
  proxy: "none",
};

const UNITS = [
  [1, ""],
  [1e3, "k"],
  [1e6, "M"],
  [1e9, "G"],
] as const;

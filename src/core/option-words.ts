// The options of an account in words.

import { shortLine } from "../printable.ts";
import { type AccountOptions, type OptionChanges, optionsIn } from "./account-options.ts";
import { usdText } from "./api-billing.ts";
import { WINDOW_LIMITS } from "./reason-words.ts";
import type { AccountAnswer } from "./status-schema.ts";
import { atOnce } from "./turn-limit.ts";

/** What `changes` set, for the report of a change: `priority 10; keeps back the last 20 % of the 5h limit`. */
export function changeWords(changes: OptionChanges): string {
  const { priority, floorDaily, floorWeekly, tags, note, monthlyCap, concurrency } = changes;
  return [
    ...(priority === undefined ? [] : [priority === null ? "default priority" : `priority ${priority}`]),
    ...floorWords(WINDOW_LIMITS.daily, floorDaily),
    ...floorWords(WINDOW_LIMITS.weekly, floorWeekly),
    ...(tags === undefined
      ? []
      : [tags === null || tags.length === 0 ? "no tags" : `tags ${tags.join(", ")}`]),
    ...(note === undefined ? [] : [note === null || note === "" ? "no note" : `note: ${note}`]),
    ...(monthlyCap === undefined ? [] : [capWords(monthlyCap ?? 0)]),
    ...(concurrency === undefined ? [] : [concurrencyWords(concurrency ?? 0)]),
  ].join("; ");
}

/** The columns of tables that show options; empty ones are left out. */
export const OPTION_HEADINGS = ["PRIORITY", "FLOORS", "CONCURRENCY", "TAGS", "NOTE"] as const;

/** The cells of one account in these columns; none for an option that is not set. */
export type OptionCells = Readonly<Partial<Record<(typeof OPTION_HEADINGS)[number], string>>>;

export function optionCells(options: AccountOptions): OptionCells {
  const { priority, floorDaily, floorWeekly, tags, note, concurrency } = options;
  const floors = [
    ...(floorDaily === 0 ? [] : [`5h ${floorDaily} %`]),
    ...(floorWeekly === 0 ? [] : [`weekly ${floorWeekly} %`]),
  ];
  return {
    ...(priority === 0 ? {} : { PRIORITY: String(priority) }),
    ...(floors.length === 0 ? {} : { FLOORS: floors.join(", ") }),
    ...(concurrency === 0 ? {} : { CONCURRENCY: String(concurrency) }),
    ...(tags.length === 0 ? {} : { TAGS: tags.join(", ") }),
    ...(note === "" ? {} : { NOTE: note }),
  };
}

/** The options of an account in a status document. */
export function optionsOfStatus(account: AccountAnswer): AccountOptions {
  return optionsIn({
    priority: account.priority,
    floorDaily: account.floor_daily_pct,
    floorWeekly: account.floor_weekly_pct,
    tags: account.tags,
    note: account.note,
    monthlyCap: account.api_key?.cap_usd,
    concurrency: account.concurrency,
  });
}

/** Where an option that is set has its value from. */
export type OptionSource = {
  /** As in `OPTION_NAMES`. */
  readonly name: string;
  /** `config.toml line 4`, `codexlb account set`. */
  readonly source: string;
};

/** One text for each of `sources`: `priority 10 (from config.toml line 4)`. `account`: the values. */
export function optionTexts(account: AccountAnswer, sources: readonly OptionSource[]): string[] {
  const words: Readonly<Record<string, string>> = {
    priority: changeWords({ priority: account.priority ?? 0 }),
    floor_daily: changeWords({ floorDaily: account.floor_daily_pct ?? 0 }),
    floor_weekly: changeWords({ floorWeekly: account.floor_weekly_pct ?? 0 }),
    tags: changeWords({ tags: account.tags ?? [] }),
    note: changeWords({ note: account.note ?? "" }),
    monthly_cap: changeWords({ monthlyCap: account.api_key?.cap_usd ?? 0 }),
    concurrency: changeWords({ concurrency: account.concurrency ?? 0 }),
  };
  return sources.map(({ name, source }) => shortLine(`${words[name] ?? name} (from ${source})`));
}

// --- internal ---

function capWords(usd: number): string {
  return usd === 0 ? "no monthly cap, so it serves no turns" : `spends at most ${usdText(usd)} a month`;
}

function concurrencyWords(turns: number): string {
  return turns === 0 ? "no limit on concurrent turns" : `serves at most ${atOnce(turns)}`;
}

function floorWords(limit: string, floor: number | null | undefined): string[] {
  if (floor === undefined) return [];
  return [
    floor === null || floor === 0
      ? `no floor in the ${limit}`
      : `keeps back the last ${floor} % of the ${limit}`,
  ];
}

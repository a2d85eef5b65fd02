// What the user has set for one account: its priority, its floors, its tags, a note, the monthly cap of an API key, and
// how many concurrent turns it serves. Pure.

import { type ByWindow, presentOf, type WindowKind } from "./windows.ts";

export interface AccountOptions {
  /** Accounts with a higher priority serve first. */
  readonly priority: number;
  /** How much of the short window is kept back, percent; 0: nothing. */
  readonly floorDaily: number;
  /** How much of every longer window is kept back, percent; 0: nothing. */
  readonly floorWeekly: number;
  /** In lower case, without duplicates. */
  readonly tags: readonly string[];
  /** A text for people. */
  readonly note: string;
  /** How much an account with an API key may spend in a month, USD; 0: nothing. Other accounts have none. */
  readonly monthlyCap: number;
  /** How many turns it serves at the same time, on all replicas of the pool together; 0: no limit. */
  readonly concurrency: number;
}

/** The options that are set, for example in config.toml. */
export type OptionValues = { readonly [Name in OptionName]?: AccountOptions[Name] | undefined };

export type OptionName = keyof AccountOptions;

/** The options of an account for which nothing is set. */
export const DEFAULT_OPTIONS: AccountOptions = {
  priority: 0,
  floorDaily: 0,
  floorWeekly: 0,
  tags: [],
  note: "",
  monthlyCap: 0,
  concurrency: 0,
};

/** The options by their names in config.toml, JSON and flags (there with hyphens), in the order in which they are shown. */
export const OPTION_NAMES = {
  priority: "priority",
  floor_daily: "floorDaily",
  floor_weekly: "floorWeekly",
  tags: "tags",
  note: "note",
  monthly_cap: "monthlyCap",
  concurrency: "concurrency",
} as const satisfies Readonly<Record<string, OptionName>>;

export const LARGEST_PRIORITY = 1_000;
export const LONGEST_NOTE = 200;
export const LARGEST_CONCURRENCY = 1_000;
const LARGEST_CAP_USD = 1_000_000;
const MOST_TAGS = 16;

/** Whether accounts at their floor serve when no other account can (`last`), or not even then (`never`). */
export const SPEND_FLOORS = ["last", "never"] as const;
export type SpendFloors = (typeof SPEND_FLOORS)[number];

/** The options in effect: those in `file` (config.toml) win over those in `own` (`codexlb account set`). */
export function optionsIn(own: OptionValues, file: OptionValues = NO_OPTIONS): AccountOptions {
  if (own === NO_OPTIONS && file === NO_OPTIONS) return DEFAULT_OPTIONS;
  const value = <Name extends OptionName>(name: Name): AccountOptions[Name] =>
    file[name] ?? own[name] ?? DEFAULT_OPTIONS[name];
  return {
    priority: value("priority"),
    floorDaily: value("floorDaily"),
    floorWeekly: value("floorWeekly"),
    tags: value("tags"),
    note: value("note"),
    monthlyCap: value("monthlyCap"),
    concurrency: value("concurrency"),
  };
}

/** The options of an account for which nothing is set: one object for all of them. */
export const NO_OPTIONS: OptionValues = {};

/** `before` with `changes`. */
export function changedOptions(before: OptionValues, changes: OptionChanges): OptionValues {
  const given = Object.entries({ ...before, ...changes }).filter(
    ([name, value]) => (value ?? before[name as OptionName]) !== undefined && value !== null,
  );
  if (given.length === 0) return NO_OPTIONS;
  return Object.fromEntries(given.map(([name, value]) => [name, value ?? before[name as OptionName]]));
}

/** Options to set; null removes the value, and undefined leaves it. */
export type OptionChanges = { readonly [Name in OptionName]?: AccountOptions[Name] | null | undefined };

/** Why `priority` is not allowed; undefined if it is. */
export function priorityProblem(priority: number): string | undefined {
  const isAllowed = Number.isInteger(priority) && Math.abs(priority) <= LARGEST_PRIORITY;
  return isAllowed ? undefined : `must be a whole number from -${LARGEST_PRIORITY} to ${LARGEST_PRIORITY}`;
}

/** The percentage in `text` ("20%", "20 %" or "20"); undefined if it is not one from 0 to 100. */
export function percentIn(text: string): number | undefined {
  const [, digits] = /^\s*(\d{1,3}(?:\.\d+)?)\s*%?\s*$/.exec(text) ?? [];
  const percent = digits === undefined ? Number.NaN : Number(digits);
  return percent <= 100 ? percent : undefined;
}

/** Why `note` is not allowed; undefined if it is. */
export function noteProblem(note: string): string | undefined {
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(note)) return "must be one line, without control characters";
  return note.length > LONGEST_NOTE ? `must have at most ${LONGEST_NOTE} characters` : undefined;
}

/** Why a cap of `usd` is not allowed; undefined if it is. */
export function capProblem(usd: number): string | undefined {
  return usd > 0 && usd <= LARGEST_CAP_USD
    ? undefined
    : `must be an amount from 0.01 to ${LARGEST_CAP_USD} USD in whole cents, such as 20usd`;
}

/** Why a limit of `turns` at the same time is not allowed; undefined if it is. */
export function concurrencyProblem(turns: number): string | undefined {
  const isAllowed = Number.isInteger(turns) && turns >= 1 && turns <= LARGEST_CONCURRENCY;
  return isAllowed ? undefined : `must be a whole number from 1 to ${LARGEST_CONCURRENCY}`;
}

/** Tags in lower case, without duplicates and blank ones. */
export function normalizedTags(tags: readonly string[]): string[] {
  return [...new Set(tags.map((tag) => tag.trim().toLowerCase()).filter((tag) => tag !== ""))];
}

/** Why `tags`, which are normalized, are not allowed; undefined if they are. */
export function tagsProblem(tags: readonly string[]): string | undefined {
  const wrong = tags.find((tag) => !TAG.test(tag));
  if (wrong !== undefined)
    return `${JSON.stringify(wrong)} is not a tag: use 1 to 32 letters, digits and ._- starting with a letter or a digit`;
  return tags.length > MOST_TAGS ? `must be at most ${MOST_TAGS} tags` : undefined;
}

/** The windows of `windows` that have reached their floor. An unknown window has not. */
export function windowsAtFloor<
  Window extends { readonly kind: WindowKind; readonly left: number | undefined },
>(windows: ByWindow<Window>, options: Floors): Window[] {
  if (options.floorDaily === 0 && options.floorWeekly === 0) return [];
  return presentOf(windows).filter(({ kind, left }) => {
    const floor = floorOf(kind, options);
    return floor > 0 && left !== undefined && left <= floor / 100;
  });
}

/** A floor, as the options name it: `daily` is that of the short window, `weekly` that of longer ones. */
export type FloorName = "daily" | "weekly";

/** The floors that windows of `windows` have reached, each once. */
export function floorsReached(
  windows: Parameters<typeof windowsAtFloor>[0],
  options: Floors,
): readonly FloorName[] {
  const names = windowsAtFloor(windows, options).map(
    ({ kind }): FloorName => (kind === "short" ? "daily" : "weekly"),
  );
  return [...new Set(names)];
}

/** How much of the window is kept back, percent. */
export function floorOf(kind: WindowKind, { floorDaily, floorWeekly }: Floors): number {
  return kind === "short" ? floorDaily : floorWeekly;
}

/** True if the window is at its floor even after its reset. */
export function isKeptWhole(kind: WindowKind, options: Floors): boolean {
  return floorOf(kind, options) >= WHOLE_PCT;
}

type Floors = Pick<AccountOptions, "floorDaily" | "floorWeekly">;

/** A floor that keeps back a whole window, percent. */
export const WHOLE_PCT = 100;

// --- internal ---

const TAG = /^[a-z0-9][a-z0-9._-]{0,31}$/;

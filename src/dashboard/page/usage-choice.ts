// What the usage view shows: the period, the groups, the filters and the figure of the chart. The browser keeps the
// choice, the filters only as long as the tab is open.

import type { UsageFilters } from "../../core/usage-report.ts";
import { quote } from "../../quote.ts";
import { USAGE_PERIODS, USAGE_VIEWS, type UsagePeriod, type UsageView } from "../messages.ts";
import { isMeasure, type Measure } from "./usage-measures.ts";

/** What the page asks for. */
export interface UsageChoice {
  readonly since: UsagePeriod;
  readonly by: UsageView;
  readonly filters: UsageFilters;
}

export interface ShownUsage extends UsageChoice {
  readonly measure: Measure;
}

export const PERIOD_WORDS: Readonly<Record<UsagePeriod, string>> = {
  "24h": "24 h",
  "7d": "7 days",
  "30d": "30 days",
  "90d": "90 days",
  "52w": "52 weeks",
};

export const VIEW_WORDS: Readonly<Record<UsageView, string>> = {
  account: "Account",
  model: "Model",
  project: "Project",
  session: "Session",
  key: "Client key",
  proxy: "Proxy",
};

/** The user's choice; seven days of all turns by account at first. */
export function storedUsage(): ShownUsage {
  const [since, by, measure = ""] = localStorage.getItem(STORED)?.split(" ") ?? [];
  return {
    since: USAGE_PERIODS.find((one) => one === since) ?? "7d",
    by: USAGE_VIEWS.find((one) => one === by) ?? "account",
    measure: isMeasure(measure) ? measure : "tokens",
    filters: JSON.parse(sessionStorage.getItem(STORED) ?? "{}"),
  };
}

export function storeUsage({ since, by, measure, filters }: ShownUsage): void {
  localStorage.setItem(STORED, `${since} ${by} ${measure}`);
  sessionStorage.setItem(STORED, JSON.stringify(filters));
}

/** The parameters with which the page asks for the usage. */
export function usageParameters({ since, by, filters }: UsageChoice): URLSearchParams {
  const parameters = new URLSearchParams({ since, by });
  for (const [name, value] of Object.entries(filters)) if (value !== undefined) parameters.set(name, value);
  return parameters;
}

/** The command that prints the same; undefined for turns without a name, which no flag selects. */
export function usageCommand({ since, by, filters }: UsageChoice): string | undefined {
  if (Object.values(filters).includes("")) return undefined;
  const flags = Object.entries(filters).flatMap(([name, value]) =>
    value === undefined ? [] : [` --${name} ${quote(value)}`],
  );
  return `codexlb usage --since ${since} --by ${by}${flags.join("")}`;
}

// --- internal ---

const STORED = "codexlb-usage";

// What the usage view shows: the period, the groups and the figure of the chart. The browser keeps the choice.

import { USAGE_PERIODS, USAGE_VIEWS, type UsagePeriod, type UsageView } from "../messages.ts";
import { isMeasure, type Measure } from "./usage-measures.ts";

export interface ShownUsage {
  readonly since: UsagePeriod;
  readonly by: UsageView;
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
  key: "Client key",
};

/** The user's choice; seven days by account at first. */
export function storedUsage(): ShownUsage {
  const [since, by, measure = ""] = localStorage.getItem(STORED)?.split(" ") ?? [];
  return {
    since: USAGE_PERIODS.find((one) => one === since) ?? "7d",
    by: USAGE_VIEWS.find((one) => one === by) ?? "account",
    measure: isMeasure(measure) ? measure : "tokens",
  };
}

export function storeUsage({ since, by, measure }: ShownUsage): void {
  localStorage.setItem(STORED, `${since} ${by} ${measure}`);
}

// --- internal ---

const STORED = "codexlb-usage";

// The filters of a usage query as SQL, for the tables and views that have the labels of turns as columns.

import { USAGE_FILTERS, type UsageFilter, type UsageFilters } from "../../core/usage-report.ts";

/** A condition, and the values of its parameters. */
export interface SqlFilter {
  /** Conditions joined by AND, each with a leading AND; "" if nothing is filtered. */
  readonly sql: string;
  readonly values: Readonly<Record<string, string>>;
}

/** An account, or else the child proxy that served the turn; "" if no account served it. */
export const SERVED_BY = "coalesce(nullif(account, ''), proxy, '')";

/** The rows that pass `filters`. `model`: the name of the column or the expression with the model. */
export function sqlFilter(filters: UsageFilters, model = "model"): SqlFilter {
  const columns: Readonly<Record<UsageFilter, string>> = {
    account: SERVED_BY,
    model,
    project: "coalesce(project, '')",
    session: "coalesce(session, '')",
    key: "coalesce(client, '')",
  };
  const conditionOf = (name: UsageFilter): string => {
    const isSame = `${columns[name]} = $${name}`;
    // Every text begins with "", so it must not count as a prefix.
    if (filters[name] === "") return isSame;
    if (name === "project") return `(${isSame} OR substr(project, -length($project) - 1) = '/' || $project)`;
    return name === "session" ? "substr(session, 1, length($session)) = $session" : isSame;
  };
  const given = USAGE_FILTERS.filter((name) => filters[name] !== undefined);
  return {
    sql: given.map((name) => ` AND ${conditionOf(name)}`).join(""),
    values: Object.fromEntries(given.map((name) => [`$${name}`, filters[name] ?? ""])),
  };
}

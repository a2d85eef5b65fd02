// What `codexlb usage` reports on stderr if it selects no turns.

import { existsSync } from "node:fs";
import { advised } from "../../advice.ts";
import { nearest } from "../../core/nearest.ts";
import {
  matchesFilter,
  USAGE_FILTERS,
  type UsageFilter,
  type UsageQuery,
  type UsageReport,
} from "../../core/usage-report.ts";
import { FILTER_WORDS } from "../../core/usage-words.ts";
import { unknownAccountHint } from "../accounts/unknown-account.ts";
import type { RemoteFlags } from "../common-flags.ts";
import type { CommandContext } from "../context.ts";
import { usageReport } from "./usage-source.ts";

/**
 * Reports whether nothing has been recorded yet, or whether a filter of `query` names something unknown, or has no turns
 * in the period. `recording`: that of the report, which has no turns.
 */
export async function reportNoTurns(
  context: CommandContext,
  flags: RemoteFlags,
  query: UsageQuery,
  { recording }: Pick<UsageReport, "recording">,
): Promise<void> {
  const { deps, layout } = context;
  if (recording === "unknown" && !existsSync(layout.usage))
    return deps.log.info(`no turns have been recorded in ${layout.usage} yet`);
  const given = USAGE_FILTERS.filter((name) => query[name] !== undefined);
  for (const name of given) {
    const hint = await unknownNameHint(context, flags, query, name);
    if (hint !== undefined) return deps.log.info(hint);
  }
  const [first] = given;
  if (first === undefined) return;
  const what = first === "account" ? query.account : `${FILTER_WORDS[first]} ${query[first]}`;
  deps.log.info(
    given.length === 1
      ? `${what} has no turns in this period; --since selects a longer one`
      : "no turn in this period passes all of the filters; leave one out, or select a longer period with --since",
  );
}

// --- internal ---

/**
 * A hint that no recorded turn has the value of `filter` in `query`; undefined if one has it, or if that is unknown.
 */
async function unknownNameHint(
  context: CommandContext,
  flags: RemoteFlags,
  query: UsageQuery,
  filter: UsageFilter,
): Promise<string | undefined> {
  const name = query[filter] ?? "";
  // Accounts, removed ones too, and child proxies have turns under their names.
  const used = await usedNames(context, flags, filter);
  if (filter === "account") return unknownAccountHint(context, flags, name, used ?? []);
  if (used === undefined || used.some((one) => matchesFilter(filter, one, name))) return undefined;
  const similar = nearest(name, used);
  return `no turn with the ${FILTER_WORDS[filter]} ${JSON.stringify(name)} is recorded; ${
    similar === undefined
      ? `see: ${advised("usage", "--since", "52w", "--by", filter)}`
      : `did you mean ${similar}?`
  }`;
}

/** The names of the groups by `by` that ever had turns; undefined if they cannot be found. */
async function usedNames(
  context: CommandContext,
  flags: RemoteFlags,
  by: UsageFilter,
): Promise<string[] | undefined> {
  try {
    const ever = { sinceMs: 0, untilMs: context.deps.clock.now() + 1, by };
    const { report } = await usageReport(context, flags, ever, undefined);
    return report.lines.map(({ name }) => name).filter((name) => name !== "");
  } catch {
    // The report is done. The names are only for a hint.
    return undefined;
  }
}

// What `codexlb usage` reports on stderr if it selects no turns.

import { existsSync } from "node:fs";
import type { UsageQuery, UsageReport } from "../../core/usage-report.ts";
import { unknownAccountHint } from "../accounts/unknown-account.ts";
import type { RemoteFlags } from "../common-flags.ts";
import type { CommandContext } from "../context.ts";
import { usageReport } from "./usage-source.ts";

/**
 * Reports whether nothing has been recorded yet, or whether the account of `query` is unknown or has no turns in the
 * period. `recording`: that of the report, which has no turns.
 */
export async function reportNoTurns(
  context: CommandContext,
  flags: RemoteFlags,
  query: UsageQuery,
  { recording }: Pick<UsageReport, "recording">,
): Promise<void> {
  const { deps, layout } = context;
  const { account } = query;
  if (recording === "unknown" && !existsSync(layout.usage))
    return deps.log.info(`no turns have been recorded in ${layout.usage} yet`);
  if (account === undefined) return;
  const everUsed = await usedUpstreams(context, flags, query);
  const hint = await unknownAccountHint(context, flags, account, everUsed);
  deps.log.info(hint ?? `${account} has no turns in this period; --since selects a longer one`);
}

// --- internal ---

/** The accounts, removed ones too, and the child proxies that ever served a turn. */
async function usedUpstreams(
  context: CommandContext,
  flags: RemoteFlags,
  { untilMs }: UsageQuery,
): Promise<string[]> {
  try {
    const ever = { sinceMs: 0, untilMs, by: "account" } as const;
    const { report } = await usageReport(context, flags, ever, undefined);
    return report.lines.map(({ name }) => name).filter((name) => name !== "");
  } catch {
    // The report is done. The names are only for a hint.
    return [];
  }
}

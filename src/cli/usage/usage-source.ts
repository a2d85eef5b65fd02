// Gets a usage report: from the proxy, or from the file while no proxy runs on the root.

import { remoteUsage } from "../../admin/client.ts";
import { usageLines } from "../../core/usage-lines.ts";
import type { UsageQuery, UsageReport } from "../../core/usage-report.ts";
import { CodexlbError, systemProblem } from "../../errors.ts";
import { readUsageFile } from "../../state/usage/usage-file.ts";
import { sumUsage } from "../../state/usage/usage-query.ts";
import type { RemoteFlags } from "../common-flags.ts";
import { configOf } from "../config/root-config.ts";
import type { CommandContext } from "../context.ts";
import { doorOf, type Location, listensAt, locate } from "../proxy/locate-proxy.ts";

export interface FoundUsage {
  readonly report: UsageReport;
  /** True if the report is made from the record of the command's root. */
  readonly isOfRoot: boolean;
}

/** The report that `query` asks for. Throws what `locate` throws, `file_unusable`, and the proxy's errors. */
export async function usageReport(
  context: CommandContext,
  flags: RemoteFlags,
  query: UsageQuery,
  timeoutMs: number | undefined,
): Promise<FoundUsage> {
  const location = await locate(context, flags, { clientKey: true });
  const isOfRoot = !flags["proxy-name"]?.trim() && isProxyOfRoot(location);
  // The file belongs to the proxy of this root: a proxy with another name must be asked.
  if (location.kind === "files" && location.daemon.kind !== "silent" && isOfRoot)
    return { report: await reportOfFile(context, query), isOfRoot };
  try {
    return { report: await remoteUsage({ ...doorOf(context, location), timeoutMs }, query), isOfRoot };
  } catch (error) {
    if (!(error instanceof CodexlbError) || error.code !== "not_found") throw error;
    throw new CodexlbError("proxy_answer", "this proxy cannot report usage, because it is an older version", {
      next: "upgrade codexlb on the proxy's machine, and restart the proxy",
      cause: error,
    });
  }
}

// --- internal ---

function isProxyOfRoot(location: Location): boolean {
  return location.kind !== "named" || listensAt(location.daemon, location.named.url);
}

async function reportOfFile(context: CommandContext, query: UsageQuery): Promise<UsageReport> {
  const { deps, layout } = context;
  const { usage, prices } = await configOf(context);
  const about = {
    since_ms: query.sinceMs,
    until_ms: query.untilMs,
    by: query.by,
    recording: "unknown" as const,
    keep_days: usage.keep_days,
  };
  try {
    const database = readUsageFile(layout.usage);
    if (database === undefined) return { ...about, ...usageLines([], query.by, prices) };
    try {
      const times = { nowMs: deps.clock.now(), keepDays: usage.keep_days };
      return { ...about, ...usageLines(await sumUsage(database, query, times), query.by, prices) };
    } finally {
      database.close();
    }
  } catch (error) {
    throw new CodexlbError("file_unusable", `reading ${layout.usage}: ${systemProblem(error)}`, {
      next: "start the proxy, which moves an unusable file aside, or delete the file",
      cause: error,
    });
  }
}

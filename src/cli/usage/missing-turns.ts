// What `codexlb usage` reports on stderr if an unusable database was set aside in the period of the report.

import { pastTime } from "../../core/time-words.ts";
import type { UsageQuery } from "../../core/usage-report.ts";
import { filesSetAside } from "../../state/usage/files-set-aside.ts";
import type { CommandContext } from "../context.ts";

/** Reports until when turns are missing from a report on the root's own record, and where the old record is. */
export function reportMissingTurns(
  { deps, layout }: CommandContext,
  { sinceMs }: Pick<UsageQuery, "sinceMs">,
): void {
  const last = filesSetAside(layout.usage).at(-1);
  if (last === undefined || last.atMs < sinceMs) return;
  deps.log.warn(
    `turns from before ${pastTime(last.atMs, deps.clock.now())} are missing: ${layout.usage} was damaged or not codexlb's, and was moved to ${last.path}`,
  );
}

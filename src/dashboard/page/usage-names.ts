// The names of the usage groups.

import type { UsageLine } from "../../core/usage-report.ts";
import { shortProject, shortSessions, unnamedGroup } from "../../core/usage-words.ts";
import type { UsageView } from "../messages.ts";

/** The name of a group in full. */
export function groupName(name: string, by: UsageView): string {
  return name === "" ? unnamedGroup(by) : name;
}

/** Names for a legend: of a directory only the end, unless two of `names` would then be the same, and short ids. */
export function legendNames(names: readonly string[], by: UsageView): readonly string[] {
  const full = names.map((name) => groupName(name, by));
  if (by === "session") return shortSessions(full);
  const short = by === "project" ? full.map(shortProject) : full;
  return new Set(short).size === short.length ? short : full;
}

/** The end of the directory of a session; "" if it is not known. */
export function projectOf({ project = "" }: Pick<UsageLine, "project">): string {
  return shortProject(project);
}

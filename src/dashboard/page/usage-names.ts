// The names of the usage groups.

import { unnamedGroup } from "../../core/usage-words.ts";
import type { UsageView } from "../messages.ts";

/** The name of a group in full. */
export function groupName(name: string, by: UsageView): string {
  return name === "" ? unnamedGroup(by) : name;
}

/** Names for a legend: of a directory only the end, unless two of `names` would then be the same. */
export function legendNames(names: readonly string[], by: UsageView): string[] {
  const full = names.map((name) => groupName(name, by));
  const short = by === "project" ? full.map((name) => name.split("/").slice(-2).join("/")) : full;
  return new Set(short).size === short.length ? short : full;
}

// Checks the record of turns: whether an unusable file was set aside.

import { ago } from "../../core/time-words.ts";
import { filesSetAside } from "../../state/usage/files-set-aside.ts";
import type { CommandContext } from "../context.ts";
import type { Finding } from "./finding.ts";

/** A warning for each usage database that the proxy has set aside, because its turns are not in any report. */
export function examineUsageFiles({ deps, layout }: CommandContext): Finding[] {
  return filesSetAside(layout.usage).map(({ path, atMs }) => ({
    check: "usage",
    status: "warning",
    detail: `${layout.usage} was damaged or not codexlb's, and was moved to ${path} ${ago(atMs, deps.clock.now())}; codexlb usage does not count its turns`,
    remedy: "delete that file if you do not need it",
  }));
}

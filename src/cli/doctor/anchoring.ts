// Checks the settings of anchoring: whether all its times can have an effect, and whether a proxy is running that could use them. Pure.

import { advised } from "../../advice.ts";
import { CLOSE_TIMES_NEXT, closeTimeWords } from "../../core/anchor/anchor-times.ts";
import { USUAL_SECONDS } from "../../core/windows.ts";
import type { Config } from "../../state/settings.ts";
import type { Finding } from "./finding.ts";

/** The problems of `[anchor]` itself; empty if there are none. */
export function examineAnchoring({ anchor }: Pick<Config, "anchor">): Finding[] {
  if (!anchor.enabled) return [];
  return closeTimeWords(anchor.at, USUAL_SECONDS.short * 1000).map((detail) => ({
    check: CHECK,
    status: "warning",
    detail,
    remedy: CLOSE_TIMES_NEXT,
  }));
}

/** The problem that no proxy is running that could anchor accounts. */
export function examineUnusedAnchoring({ anchor }: Pick<Config, "anchor">): Finding[] {
  if (!anchor.enabled) return [];
  return [
    {
      check: CHECK,
      status: "warning",
      detail: `accounts are anchored at ${anchor.at.join(", ")} only while a proxy runs on this root, and none is running`,
      remedy: `keep one running: ${advised("service install")}`,
    },
  ];
}

// --- internal ---

const CHECK = "anchoring";

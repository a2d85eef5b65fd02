// Checks which backend paths clients can reach: whether the settings allow all of them, and what was refused recently.

import { z } from "zod";
import { parseJson } from "../../core/json.ts";
import { isPageSegment, USE_PAGES } from "../../proxy/own-pages.ts";
import { OTHER_SEGMENT, REFUSED_EVENT } from "../../proxy/path-gate.ts";
import { readConfig } from "../../state/config-source.ts";
import { readLogLines } from "../../state/log-parts.ts";
import type { CommandContext } from "../context.ts";
import type { Finding } from "./finding.ts";

/** Checks the paths. Returns nothing if all is well. */
export function examinePaths(context: CommandContext): Finding[] {
  const check = "paths";
  if (allowedPaths(context).includes("*"))
    return [
      {
        check,
        status: "warning",
        detail: "proxy.allowed_paths lets clients reach everything in your accounts, including conversations",
        remedy:
          'replace "*" with the paths that your client needs; the paths that Codex uses are always allowed',
      },
    ];
  const refused = [...lastRefused(context)];
  const pages = refused.filter(isPageSegment);
  const paths = refused.filter((segment) => !isPageSegment(segment));
  return [
    ...(pages.length === 0 ? [] : [missingPages(pages)]),
    ...(paths.length === 0 ? [] : [refusedPaths(paths)]),
  ];
}

// --- internal ---

function missingPages(pages: readonly string[]): Finding {
  return {
    check: "paths",
    status: "warning",
    detail: `in the last 24 hours clients requested pages that codexlb does not have: ${pages.map((page) => `/${page}`).join(", ")}`,
    remedy: `in those clients, ${USE_PAGES}`,
  };
}

function refusedPaths(refused: readonly string[]): Finding {
  const named = refused.find((segment) => segment !== OTHER_SEGMENT);
  return {
    check: "paths",
    status: "warning",
    detail: `in the last 24 hours clients requested paths that the proxy does not forward: ${refused.join(", ")}`,
    remedy:
      named === undefined
        ? "if one of your clients needs them, find out from it which paths it requests, and add their first segments to proxy.allowed_paths in config.toml"
        : `if one of your clients needs them, add them to proxy.allowed_paths in config.toml, for example ["${named}"]`,
  };
}

const DAY_MS = 24 * 3_600_000;
/** The number of log lines that a proxy returns at most. */
const LINES = 2_000;
const MOST_NAMED = 10;

const Refused = z.object({
  ts: z.string(),
  event: z.literal(REFUSED_EVENT),
  fields: z.object({ segment: z.string() }),
});

function allowedPaths({ layout }: CommandContext): readonly string[] {
  try {
    return readConfig(layout).proxy.allowed_paths;
  } catch {
    return []; // another check reports invalid settings
  }
}

/** The first segments of recently refused paths, the latest first. */
function lastRefused({ deps, layout }: CommandContext): ReadonlySet<string> {
  const since = deps.clock.now() - DAY_MS;
  const segments = readLogLines(layout.events, { tail: LINES, limit: LINES })
    .text.split("\n")
    .reverse()
    .flatMap((line) => {
      if (!line.includes(REFUSED_EVENT)) return [];
      const event = Refused.safeParse(parseJson(line)).data;
      return event === undefined || Date.parse(event.ts) < since ? [] : [event.fields.segment];
    });
  return new Set([...new Set(segments)].slice(0, MOST_NAMED));
}

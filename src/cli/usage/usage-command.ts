// `codexlb usage`: shows what turns used, from the running proxy or, if none is running on the root, from the file.
// Changes nothing.

import { resolve } from "node:path";
import { defineCommand } from "citty";
import {
  USAGE_GROUPINGS,
  type UsageFilter,
  type UsageFilters,
  type UsageGrouping,
} from "../../core/usage-report.ts";
import { usageCsv, usageTsv } from "../../core/usage-text.ts";
import { print, printJson } from "../../print.ts";
import { REMOTE_FLAGS, ROOT_FLAG } from "../common-flags.ts";
import { contextOf } from "../context.ts";
import { durationFlag, usage } from "../flags.ts";
import { terminalFrame } from "../terminal/terminal-frame.ts";
import { reportMissingTurns } from "./missing-turns.ts";
import { reportNoTurns } from "./no-turns.ts";
import { usageFrame } from "./usage-frame.ts";
import { periodOf } from "./usage-period.ts";
import { usageReport } from "./usage-source.ts";

export default defineCommand({
  meta: {
    name: "codexlb usage",
    description: "Show the tokens, failures and estimated cost of your turns",
  },
  args: {
    ...ROOT_FLAG,
    ...REMOTE_FLAGS,
    since: {
      type: "string",
      description: "Count turns since then: 7d (today and the six days before), 12h, or 2026-11-28",
      default: "7d",
      valueHint: "TIME",
    },
    until: {
      type: "string",
      description: "Count turns until then; a date includes its day (default: now)",
      valueHint: "TIME",
    },
    by: {
      type: "string",
      description: "Show a line for each of these",
      default: "day",
      valueHint: USAGE_GROUPINGS.join("|"),
    },
    account: {
      type: "string",
      description: "Count only turns of this account, or of this child proxy",
      valueHint: "ALIAS",
    },
    model: { type: "string", description: "Count only turns of this model", valueHint: "MODEL" },
    project: {
      type: "string",
      description: "Count only turns in this directory; the last parts of its path are enough",
      valueHint: "DIR",
    },
    session: {
      type: "string",
      description: "Count only turns of this session; the beginning of its id is enough",
      valueHint: "ID",
    },
    key: { type: "string", description: "Count only turns with this client key", valueHint: "KEY" },
    json: { type: "boolean", description: "Print JSON" },
    csv: { type: "boolean", description: "Print comma-separated values" },
    timeout: {
      type: "string",
      description: "Longest wait for the response",
      default: "10s",
      valueHint: "DURATION",
    },
  },
  run: async ({ args }) => {
    if (args.json && args.csv)
      throw usage("usage flags --json and --csv are mutually exclusive", "leave one of them out");
    const by = groupingOf(args.by);
    const context = contextOf(args.root);
    const { deps } = context;
    const filters = filtersOf(args);
    const query = {
      ...periodOf(args.since, args.until, deps.clock.now()),
      by,
      ...filters,
    };
    const { report, isOfRoot } = await usageReport(
      context,
      args,
      query,
      durationFlag(args.timeout, "timeout") || undefined,
    );
    if (isOfRoot) reportMissingTurns(context, query);
    if (report.total.turns === 0) await reportNoTurns(context, args, query, report);
    if (args.json) return printJson(report, 2);
    if (args.csv) return print(usageCsv(report));
    const frame = terminalFrame(deps.env);
    print(frame === undefined ? usageTsv(report) : usageFrame(report, frame, deps.clock.now(), filters));
  },
});

// --- internal ---

/** Throws `usage` for an empty filter: a script whose variable is unset must not get the figures of everything. */
function filtersOf(args: UsageFilters): UsageFilters {
  const text = (name: UsageFilter) => {
    const value = args[name]?.trim();
    if (value === "") throw usage(`usage: --${name} is empty`, "leave it out, or give it a value");
    return value;
  };
  const project = text("project");
  return {
    account: text("account"),
    model: text("model"),
    project: project && directoryOf(project),
    session: text("session"),
    key: text("key"),
  };
}

/** The directory that `text` names from the working directory, if it begins with a dot. Others stay as they are. */
function directoryOf(text: string): string {
  const path = /^\.\.?(\/|$)/.test(text) ? resolve(text) : text;
  return path.replace(/(?<=.)\/+$/, "");
}

function groupingOf(text: string): UsageGrouping {
  const known = USAGE_GROUPINGS.find((grouping) => grouping === text.trim());
  if (known !== undefined) return known;
  throw usage(
    `flag --by: ${JSON.stringify(text)} is not a grouping`,
    `use one of: ${USAGE_GROUPINGS.join(", ")}`,
  );
}

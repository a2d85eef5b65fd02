// `codexlb proxy logs`: prints the event log, from the running proxy or, if none is running on the root, from the
// files. A terminal gets lines for people; a pipe gets the log's own JSON.

import { defineCommand } from "citty";
import { LOG_LEVELS } from "../../core/log-level.ts";
import { REMOTE_FLAGS, ROOT_FLAG } from "../common-flags.ts";
import { contextOf } from "../context.ts";
import { durationFlag, integerFlag, usage } from "../flags.ts";
import { type LogOutput, logOutput } from "./log-output.ts";
import { DEFAULT_LIMIT, logReader, readPages, type Start } from "./log-reader.ts";
import { sessionInLog } from "./log-session.ts";
import { reportNoEvents } from "./no-events.ts";

export default defineCommand({
  meta: {
    name: "codexlb proxy logs",
    description: "Print the event log: what matters on a terminal, JSON lines in a pipe",
  },
  args: {
    ...ROOT_FLAG,
    ...REMOTE_FLAGS,
    tail: {
      type: "string",
      description: "Show the last N lines (0: all)",
      default: "100",
      valueHint: "N",
    },
    offset: {
      type: "string",
      description: "Show the lines from this byte offset instead (-1: use --tail)",
      default: "-1",
      valueHint: "BYTES",
    },
    limit: {
      type: "string",
      description: "Read at most N lines at a time",
      default: String(DEFAULT_LIMIT),
      valueHint: "N",
    },
    follow: { type: "boolean", description: "Keep printing new lines" },
    json: { type: "boolean", description: "Print JSON lines on a terminal, too" },
    all: {
      type: "boolean",
      description: "On a terminal: show every event, and do not combine repeated failures",
    },
    account: { type: "string", description: "Show only events of this account", valueHint: "ALIAS" },
    session: {
      type: "string",
      description: "Show only requests of this session (the beginning of its id is enough)",
      valueHint: "ID",
    },
    since: {
      type: "string",
      description: "Show only events since then: 10m, 7d, 2026-11-28 or 2026-11-28T13:00",
      valueHint: "TIME",
    },
    level: {
      type: "string",
      description: "Show only events of this level and above",
      valueHint: LOG_LEVELS.toReversed().join("|"),
    },
    interval: {
      type: "string",
      description: "How often --follow looks for new lines",
      default: "2s",
      valueHint: "DURATION",
    },
    timeout: {
      type: "string",
      description: "Longest wait for the response",
      default: "10s",
      valueHint: "DURATION",
    },
  },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    const intervalMs = durationFlag(args.interval, "interval");
    // Wrong flags are reported before the log is read.
    const start = startOf(args, logOutput(context, args));
    const read = await logReader(context, args, durationFlag(args.timeout, "timeout") || undefined);
    const session = args.session === undefined ? undefined : await sessionInLog(read, args.session.trim());
    const output = logOutput(context, { ...args, session });
    let last: string[] = [];
    let printed = 0;
    const show = (lines: readonly string[]) => {
      printed += lines.length;
      output.print(lines);
    };
    const take = (lines: readonly string[]) => {
      if (start.shown === undefined) show(lines);
      else last = [...last, ...lines].slice(-start.shown);
    };
    let offset = await readPages(read, start, (text) => take(output.lines(text)));
    take(output.openLine(false));
    show(last);
    if (printed === 0 && (output.isForPeople || output.isFiltered) && !args.follow)
      await reportNoEvents(context, args, start.toEnd ? 0 : start.tail);
    while (args.follow) {
      const page = await read({ ...start, offset });
      output.print([...output.lines(page.text), ...output.openLine(true)]);
      offset = page.nextOffset ?? offset;
      // One answer may not contain all new lines.
      if (page.text === "") await Bun.sleep(intervalMs);
    }
  },
});

// --- internal ---

/** How many lines are read at a time if only some of them are shown. */
const SEARCHED = 5_000;

/** What to read first. Throws `usage`. */
function startOf(
  flags: { readonly tail: string; readonly offset: string; readonly limit: string },
  { isRaw, isFiltered }: LogOutput,
): Start {
  const tail = integerFlag(flags.tail, "tail") ?? 0;
  if (tail < 0) throw usage("--tail must not be negative", "give a number of lines, or 0 for all");
  const given = integerFlag(flags.limit, "limit") ?? 0;
  const limit = given === DEFAULT_LIMIT ? Math.max(given, tail) : given;
  const offset = integerFlag(flags.offset, "offset") ?? -1;
  if (offset >= 0) return { offset, tail, limit, toEnd: false, shown: undefined };
  // A filter selects among all lines, and the last ones of its selection are shown.
  const toEnd = tail === 0 || isFiltered;
  const from = toEnd ? 0 : undefined;
  if (isRaw) return { offset: from, tail, limit, toEnd, shown: undefined };
  const shown = tail === 0 ? Number.POSITIVE_INFINITY : tail;
  return { offset: from, tail: SEARCHED, limit: Math.max(limit, SEARCHED), toEnd, shown };
}

// `codexlb proxy logs`: prints the event log, from the running proxy or, if none is running on the root, from the
// files. A terminal gets lines for people; a pipe gets the log's own JSON.

import { existsSync } from "node:fs";
import { defineCommand } from "citty";
import { remoteLogLines } from "../../admin/client.ts";
import type { Door } from "../../admin/door.ts";
import { isRepetition, LOG_LEVELS, type LogEvent, logEventIn } from "../../core/log-event.ts";
import { print, printJsonText } from "../../print.ts";
import { shortLine } from "../../printable.ts";
import { readLogLines } from "../../state/log-parts.ts";
import { REMOTE_FLAGS, type RemoteFlags, ROOT_FLAG } from "../common-flags.ts";
import { type CommandContext, contextOf } from "../context.ts";
import { durationFlag, integerFlag, usage } from "../flags.ts";
import { paintOf } from "../terminal/colours.ts";
import { wantsColour } from "../terminal/terminal.ts";
import { locate } from "./locate-proxy.ts";
import { isFiltered, logFilter } from "./log-filter.ts";
import { logText } from "./log-text.ts";

/** The default of --offset. */
const NO_OFFSET = "-1";
/** The same default as in the proxy. */
const DEFAULT_LIMIT = "500";

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
      default: NO_OFFSET,
      valueHint: "BYTES",
    },
    limit: {
      type: "string",
      description: "Read at most N lines at a time",
      default: DEFAULT_LIMIT,
      valueHint: "N",
    },
    follow: { type: "boolean", description: "Keep printing new lines" },
    json: { type: "boolean", description: "Print JSON lines on a terminal, too" },
    all: { type: "boolean", description: "On a terminal: show ordinary requests, too" },
    account: { type: "string", description: "Show only events of this account", valueHint: "ALIAS" },
    session: { type: "string", description: "Show only requests of this session", valueHint: "ID" },
    since: {
      type: "string",
      description: "Show only events since then, such as 10m or 2026-11-28T13:00",
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
      description: "Longest wait for an answer",
      default: "10s",
      valueHint: "DURATION",
    },
  },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    const intervalMs = durationFlag(args.interval, "interval");
    const tail = integerFlag(args.tail, "tail") ?? 0;
    if (tail < 0) throw usage("--tail must not be negative", "give a number of lines, or 0 for all");
    const limit = Math.max(integerFlag(args.limit, "limit") ?? 0, args.limit === DEFAULT_LIMIT ? tail : 0);
    let offset = integerFlag(args.offset, "offset") ?? -1;
    const { clock, env } = context.deps;
    const forPeople = process.stdout.isTTY === true && !args.json;
    const wanted = logFilter(args, forPeople ? "info" : "debug", clock.now());
    const paint = paintOf(wantsColour(env));
    const read = await readerOf(context, args, durationFlag(args.timeout, "timeout") || undefined);
    const isRaw = !forPeople && !isFiltered(args);
    const atOnce = isRaw || args.offset !== NO_OFFSET ? limit : Math.max(limit, SEARCHED);
    let previous: LogEvent | undefined;
    const shown = (text: string): string[] =>
      text.split("\n").flatMap((line) => {
        const event = logEventIn(line);
        // A line that is no event, for example of another program, is shown as it is.
        if (event === undefined)
          return forPeople && line !== "" && !isFiltered(args) ? [`${shortLine(line)}\n`] : [];
        if (!wanted(event)) return [];
        const isRepeated = forPeople && !args.all && isRepetition(event, previous);
        previous = event;
        if (isRepeated) return [];
        return [forPeople ? logText(event, clock.now(), paint) : `${line}\n`];
      });
    const readsAll = isRaw && offset < 0 && tail === 0;
    if (offset < 0 && (tail === 0 || isFiltered(args))) offset = 0;
    // A filter selects among all lines, and the last ones of its selection are shown.
    let found: string[] | undefined = isRaw || args.offset !== NO_OFFSET ? undefined : [];
    for (;;) {
      const query = { offset: offset < 0 ? undefined : offset, tail: isRaw ? tail : SEARCHED, limit: atOnce };
      const lines = await read(query);
      offset = lines.nextOffset ?? offset;
      if (isRaw) {
        if (lines.text !== "") printJsonText(lines.text.endsWith("\n") ? lines.text : `${lines.text}\n`);
        if (readsAll && lines.text !== "") continue;
      } else if (found !== undefined && lines.text !== "") {
        found = [...found, ...shown(lines.text)].slice(tail > 0 ? -tail : 0);
        if (query.offset !== undefined) continue;
      } else for (const line of shown(lines.text)) printLine(line, forPeople);
      for (const line of found ?? []) printLine(line, forPeople);
      found = undefined;
      if (!args.follow) return;
      // One answer may not contain all new lines.
      if (lines.text === "") await Bun.sleep(intervalMs);
    }
  },
});

// --- internal ---

/** How many lines are read at a time if only some of them are shown. */
const SEARCHED = 5_000;

function printLine(line: string, forPeople: boolean): void {
  if (forPeople) print(line);
  else printJsonText(line);
}

interface Query {
  readonly offset: number | undefined;
  readonly tail: number;
  readonly limit: number;
}

type Reader = (query: Query) => Promise<{ readonly text: string; readonly nextOffset: number | undefined }>;

async function readerOf(
  context: CommandContext,
  flags: RemoteFlags,
  timeoutMs: number | undefined,
): Promise<Reader> {
  const { deps, layout } = context;
  const location = await locate(context, flags);
  if (location.kind !== "files") return through({ ...location.door, timeoutMs });
  // The files here belong to the proxy of this root: a proxy with another name must be asked.
  if (flags["proxy-name"]?.trim()) return through({ ...location.listening(), timeoutMs });
  if (!existsSync(layout.events)) deps.log.info(`there is no event log at ${layout.events} yet`);
  return async ({ limit, ...query }) =>
    readLogLines(layout.events, { ...query, limit: limit > 0 ? limit : Number(DEFAULT_LIMIT) });
}

function through(door: Door): Reader {
  return ({ offset, tail, limit }) =>
    remoteLogLines(door, {
      ...(offset === undefined ? { tail: String(tail) } : { offset: String(offset) }),
      limit: String(limit),
    });
}

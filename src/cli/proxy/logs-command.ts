// `codexlb proxy logs`: prints the event log, from the running proxy or, if none is running on the root, from the
// files.

import { existsSync } from "node:fs";
import { defineCommand } from "citty";
import { remoteLogLines } from "../../admin/client.ts";
import type { Door } from "../../admin/door.ts";
import { printJsonText } from "../../print.ts";
import { readLogLines } from "../../state/log-parts.ts";
import { REMOTE_FLAGS, type RemoteFlags, ROOT_FLAG } from "../common-flags.ts";
import { type CommandContext, contextOf } from "../context.ts";
import { durationFlag, integerFlag, usage } from "../flags.ts";
import { locate } from "./locate-proxy.ts";

/** The same default as in the proxy. */
const DEFAULT_LIMIT = "500";

export default defineCommand({
  meta: { name: "codexlb proxy logs", description: "Print the event log, one JSON object per line" },
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
      default: DEFAULT_LIMIT,
      valueHint: "N",
    },
    follow: { type: "boolean", description: "Keep printing new lines" },
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
    const read = await readerOf(context, args, durationFlag(args.timeout, "timeout") || undefined);
    const readsAll = offset < 0 && tail === 0;
    if (readsAll) offset = 0;
    for (;;) {
      const lines = await read({ offset: offset < 0 ? undefined : offset, tail, limit });
      if (lines.text !== "") printJsonText(lines.text.endsWith("\n") ? lines.text : `${lines.text}\n`);
      offset = lines.nextOffset ?? offset;
      if (!args.follow && (!readsAll || lines.text === "")) return;
      // One answer may not contain all new lines.
      if (lines.text === "") await Bun.sleep(intervalMs);
    }
  },
});

// --- internal ---

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

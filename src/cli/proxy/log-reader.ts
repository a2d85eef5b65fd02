// Reads the event log page by page, from a proxy or from the files.

import { existsSync } from "node:fs";
import { remoteLogLines } from "../../admin/client.ts";
import type { Door } from "../../admin/door.ts";
import { readLogLines } from "../../state/log-parts.ts";
import type { RemoteFlags } from "../common-flags.ts";
import type { CommandContext } from "../context.ts";
import { locate } from "./locate-proxy.ts";

/** Lines of a page. The proxy has the same default. */
export const DEFAULT_LIMIT = 500;

/** A part of the log: from `offset`, or its last `tail` lines if that is undefined; at most `limit` lines. */
interface Query {
  readonly offset: number | undefined;
  readonly tail: number;
  readonly limit: number;
}

export type LogReader = (
  query: Query,
) => Promise<{ readonly text: string; readonly nextOffset: number | undefined }>;

/** Reads from the running proxy or, if none is running on the root, from the files. Throws what `locate` throws. */
export async function logReader(
  context: CommandContext,
  flags: RemoteFlags,
  timeoutMs: number | undefined,
): Promise<LogReader> {
  const { deps, layout } = context;
  const location = await locate(context, flags);
  if (location.kind !== "files") return through({ ...location.door, timeoutMs });
  // The files here belong to the proxy of this root: a proxy with another name must be asked.
  if (flags["proxy-name"]?.trim()) return through({ ...location.listening(), timeoutMs });
  if (!existsSync(layout.events)) deps.log.info(`there is no event log at ${layout.events} yet`);
  return async ({ limit, ...query }) =>
    readLogLines(layout.events, { ...query, limit: limit > 0 ? limit : DEFAULT_LIMIT });
}

/** The first pages to read. */
export interface Start extends Query {
  /** Read on until the end of the log. Otherwise one page is read. */
  readonly toEnd: boolean;
  /** Show only this many lines, the last ones; undefined: all. */
  readonly shown: number | undefined;
}

/** Passes the text of each page to `take`. Returns the offset of the next page; undefined if an old proxy names none. */
export async function readPages(
  read: LogReader,
  start: Start,
  take: (text: string) => void,
): Promise<number | undefined> {
  let { offset } = start;
  for (;;) {
    const page = await read({ ...start, offset });
    take(page.text);
    offset = page.nextOffset ?? offset;
    if (!start.toEnd || page.text === "" || page.nextOffset === undefined) return offset;
  }
}

// --- internal ---

function through(door: Door): LogReader {
  return ({ offset, tail, limit }) =>
    remoteLogLines(door, {
      ...(offset === undefined ? { tail: String(tail) } : { offset: String(offset) }),
      limit: String(limit),
    });
}

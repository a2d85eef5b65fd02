// The event stream of the dashboard's page (server-sent events): new lines of the event log as they are written, and a
// snapshot of the proxy's state when it changed. The id of a `log` event is the offset from which a page continues after
// a break.

import { logEventIn } from "../core/log-event.ts";
import { levelOf } from "../core/log-level.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import type { WatchedEventLog } from "../state/events.ts";
import { readLogLines } from "../state/log-parts.ts";
import type { ShownLogEvent } from "./messages.ts";
import { contentOf, type SnapshotContext, snapshotOf } from "./snapshot.ts";

export interface StreamsContext extends SnapshotContext {
  readonly deps: Pick<Deps, "clock">;
  readonly events: WatchedEventLog;
  /** Path of the event log. */
  readonly eventsPath: string;
}

export interface Streams {
  /** A new stream. `since`: the offset in the log; default: the last `FIRST_LINES` lines. Throws `busy`. */
  open(since: number | undefined): ReadableStream<Uint8Array>;
  /** Ends all streams, and every later one at once. */
  close(): void;
}

export function createStreams(context: StreamsContext): Streams {
  const open = new Set<AbortController>();
  let isClosed = false;
  return {
    open: (since) => {
      if (open.size >= MOST_STREAMS)
        throw new CodexlbError("busy", `${open.size} pages of the dashboard are open already`, {
          next: "close some of them",
        });
      const ending = new AbortController();
      if (isClosed) ending.abort();
      open.add(ending);
      ending.signal.addEventListener("abort", () => open.delete(ending));
      return streamOf(context, since, ending);
    },
    close: () => {
      isClosed = true;
      for (const ending of open) ending.abort();
    },
  };
}

// --- internal ---

const MOST_STREAMS = 32;
const FIRST_LINES = 500;
const MOST_LINES = 500;
/** Snapshots are sent at most this often: a page then shows a change within a second, with the time to draw it. */
const SNAPSHOT_GAP_MS = 750;
/** Not every change is an event, so the state is compared this often. */
const LOOK_AGAIN_MS = 500;
/** Without changes a snapshot is sent this often, so that ages stay right and both sides notice a lost connection. */
const SNAPSHOT_REPEAT_MS = 15_000;

function streamOf(
  { deps: { clock }, events, eventsPath, ...context }: StreamsContext,
  since: number | undefined,
  ending: AbortController,
): ReadableStream<Uint8Array> {
  const { signal } = ending;
  const encoder = new TextEncoder();
  let offset = since;
  let sent = { content: "", atMs: Number.NEGATIVE_INFINITY };
  let wake = () => {};
  const unwatch = events.watch(() => wake());
  signal.addEventListener("abort", () => {
    unwatch();
    wake();
  });

  const log = (): string | undefined => {
    const { text, nextOffset } = readLogLines(eventsPath, { offset, tail: FIRST_LINES, limit: MOST_LINES });
    const isFirst = offset === undefined;
    offset = nextOffset;
    const shown = shownEvents(text);
    return shown.length > 0 || isFirst ? message("log", shown, offset) : undefined;
  };
  const snapshot = (): string | undefined => {
    const sinceMs = clock.monotonic() - sent.atMs;
    if (sinceMs < SNAPSHOT_GAP_MS) return undefined;
    const current = snapshotOf({ ...context, deps: { clock } });
    const content = contentOf(current);
    if (content === sent.content && sinceMs < SNAPSHOT_REPEAT_MS) return undefined;
    sent = { content, atMs: clock.monotonic() };
    return message("snapshot", current);
  };
  /** Resolves when events were written, the stream ends, or a snapshot may be due. */
  const change = (): Promise<void> =>
    new Promise((resolve) => {
      const dueInMs = sent.atMs + SNAPSHOT_GAP_MS - clock.monotonic();
      const cancel = clock.after(dueInMs > 0 ? dueInMs : LOOK_AGAIN_MS, resolve);
      wake = () => {
        cancel();
        resolve();
      };
    });

  return new ReadableStream<Uint8Array>(
    {
      start: () => events.flush(),
      // Called only while the client keeps up, so a slow one skips snapshots and reads the log at its own pace.
      pull: async (controller) => {
        while (!signal.aborted) {
          const next = snapshot() ?? log();
          if (next !== undefined) return controller.enqueue(encoder.encode(next));
          await change();
        }
        controller.close();
      },
      cancel: () => ending.abort(),
    },
    { highWaterMark: 0 },
  );
}

function shownEvents(text: string): ShownLogEvent[] {
  return text.split("\n").flatMap((line) => {
    const event = logEventIn(line);
    return event === undefined ? [] : [{ ...event, level: levelOf(event) }];
  });
}

/** JSON has no line breaks, so the data is one line. */
function message(event: string, data: unknown, id?: number): string {
  return `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}

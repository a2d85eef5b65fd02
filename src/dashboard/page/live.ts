// Follows the proxy's event stream, and keeps what the views show. A hidden page closes the stream; when it is visible
// again, the stream continues at the last offset.

import type { ShownLogEvent, Snapshot } from "../messages.ts";
import { Refused, request, SessionEnded } from "./session.ts";

/** `ended`: only a new link helps. `lost`: the page tries again. */
export type Connection =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  | { readonly kind: "lost" }
  | { readonly kind: "ended"; readonly why: string };

export interface LiveState {
  readonly connection: Connection;
  /** Undefined until the first one has arrived. */
  readonly snapshot: Snapshot | undefined;
  /** The clock of the proxy minus that of this machine, ms. */
  readonly skewMs: number;
  /** In the order of the log; at most `MOST_EVENTS`. */
  readonly events: readonly ShownLogEvent[];
}

export interface Live {
  state(): LiveState;
  /** Calls `listener` after every change. */
  subscribe(listener: () => void): () => void;
  /** Connects, now and whenever the page becomes visible. */
  start(): void;
  /** Shows that the session has ended. */
  end(why: string): void;
}

export function createLive(): Live {
  const listeners = new Set<() => void>();
  let state: LiveState = { connection: { kind: "connecting" }, snapshot: undefined, skewMs: 0, events: [] };
  let offset: number | undefined;
  let retryMs = FIRST_RETRY_MS;
  let current: AbortController | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;

  const change = (part: Partial<LiveState>): void => {
    state = { ...state, ...part };
    for (const listener of listeners) listener();
  };

  const receive = (event: string, id: string, data: string): void => {
    retryMs = FIRST_RETRY_MS;
    if (event === "snapshot") {
      const snapshot = JSON.parse(data) as Snapshot;
      change({ snapshot, skewMs: snapshot.atMs - Date.now(), connection: { kind: "live" } });
    } else if (event === "log") {
      offset = Number(id);
      const events = [...state.events, ...(JSON.parse(data) as ShownLogEvent[])].slice(-MOST_EVENTS);
      change({ events, connection: { kind: "live" } });
    }
  };

  const connect = async (): Promise<void> => {
    clearTimeout(retry);
    current?.abort();
    const ending = new AbortController();
    current = ending;
    try {
      const response = await request(`events${offset === undefined ? "" : `?since=${offset}`}`, {
        signal: ending.signal,
      });
      await readMessages(response, receive);
    } catch (error) {
      if (ending.signal.aborted) return;
      if (error instanceof SessionEnded || error instanceof Refused)
        return change({ connection: { kind: "ended", why: error.message } });
    }
    if (ending.signal.aborted) return;
    change({ connection: { kind: "lost" } });
    retry = setTimeout(() => void connect(), retryMs);
    retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
  };

  const followVisibility = (): void => {
    if (document.hidden) {
      clearTimeout(retry);
      current?.abort();
    } else if (state.connection.kind !== "ended") void connect();
  };

  return {
    state: () => state,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    start: () => {
      document.removeEventListener("visibilitychange", followVisibility);
      document.addEventListener("visibilitychange", followVisibility);
      change({ connection: { kind: "connecting" } });
      if (!document.hidden) void connect();
    },
    end: (why) => change({ connection: { kind: "ended", why } }),
  };
}

// --- internal ---

const MOST_EVENTS = 5_000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 5_000;

/** Reads server-sent events as this proxy writes them: one line for each field. */
async function readMessages(
  response: Response,
  receive: (event: string, id: string, data: string) => void,
): Promise<void> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += decoder.decode(value, { stream: true });
    let end = text.indexOf("\n\n");
    while (end >= 0) {
      const fields = new Map(text.slice(0, end).split("\n").map(fieldIn));
      receive(fields.get("event") ?? "", fields.get("id") ?? "", fields.get("data") ?? "null");
      text = text.slice(end + 2);
      end = text.indexOf("\n\n");
    }
  }
}

function fieldIn(line: string): [string, string] {
  const colon = line.indexOf(": ");
  return [line.slice(0, colon), line.slice(colon + 2)];
}

// Counts each session's handovers in a row without output. After too many, the session is sent to HTTP, which needs no
// handover.

import { BoundedMap } from "../core/bounded-map.ts";

export interface Handovers {
  count(session: string): void;
  /** The session produced output. */
  clear(session: string): void;
  /** True when the session was handed over `MOST_IN_A_ROW` times in a row. */
  tooMany(session: string): boolean;
}

/** Codex itself leaves WebSocket after six retries in a row and shows them from the second one on. */
const MOST_IN_A_ROW = 4;
const MOST_SESSIONS = 1_000;

export function createHandovers(): Handovers {
  const counts = new BoundedMap<string, number>(MOST_SESSIONS);
  return {
    count: (session) => void counts.set(session, (counts.get(session) ?? 0) + 1),
    clear: (session) => void counts.delete(session),
    tooMany: (session) => (counts.get(session) ?? 0) >= MOST_IN_A_ROW,
  };
}

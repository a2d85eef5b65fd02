// Remembers an upstream for each of some sessions, for a minute or until the session's next turn is served.

import type { Clock } from "../deps.ts";

export interface BriefMemory {
  begin(session: string | undefined, upstreamId: string): void;
  end(session: string | undefined): void;
  /** The upstream that is remembered for `session`. */
  of(session: string | undefined): string | undefined;
}

/** Codex tries again within seconds. */
const LASTS_MS = 60_000;
const MOST_SESSIONS = 1_000;

export function createBriefMemory(clock: Clock): BriefMemory {
  const entries = new Map<string, { readonly upstreamId: string; readonly untilMs: number }>();
  return {
    begin: (session, upstreamId) => {
      if (session === undefined) return;
      entries.delete(session);
      entries.set(session, { upstreamId, untilMs: clock.monotonic() + LASTS_MS });
      const oldest = entries.size > MOST_SESSIONS ? entries.keys().next().value : undefined;
      if (oldest !== undefined) entries.delete(oldest);
    },
    end: (session) => {
      if (session !== undefined) entries.delete(session);
    },
    of: (session) => {
      const entry = session === undefined ? undefined : entries.get(session);
      return entry !== undefined && entry.untilMs > clock.monotonic() ? entry.upstreamId : undefined;
    },
  };
}

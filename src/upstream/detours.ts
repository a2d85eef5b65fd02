// Remembers sessions whose last response broke off after its first output, whatever the cause. The next try of such a
// session avoids that upstream. The detour ends with the next turn that is served, or after a minute.

import type { Clock } from "../deps.ts";

export interface Detours {
  begin(session: string | undefined, upstreamId: string): void;
  end(session: string | undefined): void;
  /** The upstream that `session` avoids now. */
  of(session: string | undefined): string | undefined;
}

/** Codex tries again within seconds. */
const LASTS_MS = 60_000;
const MOST_SESSIONS = 1_000;

export function createDetours(clock: Clock): Detours {
  const detours = new Map<string, { readonly upstreamId: string; readonly untilMs: number }>();
  return {
    begin: (session, upstreamId) => {
      if (session === undefined) return;
      detours.delete(session);
      detours.set(session, { upstreamId, untilMs: clock.monotonic() + LASTS_MS });
      const oldest = detours.size > MOST_SESSIONS ? detours.keys().next().value : undefined;
      if (oldest !== undefined) detours.delete(oldest);
    },
    end: (session) => {
      if (session !== undefined) detours.delete(session);
    },
    of: (session) => {
      const detour = session === undefined ? undefined : detours.get(session);
      return detour !== undefined && detour.untilMs > clock.monotonic() ? detour.upstreamId : undefined;
    },
  };
}

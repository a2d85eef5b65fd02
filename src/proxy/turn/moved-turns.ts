// Remembers the turns that clients were asked to send again on a new connection, so that each is recorded as one turn.

import { BoundedMap } from "../../core/bounded-map.ts";
import { turnMetadataOf } from "../../core/turn-metadata.ts";
import type { TurnSwitch } from "../../core/turn-record.ts";
import type { Clock } from "../../deps.ts";
import type { Upstream } from "../../upstream/upstream.ts";

/** What happened in a turn so far. */
export interface TurnProgress {
  /** When it began: Unix ms, and on the monotonic clock. */
  readonly startedMs: number;
  readonly startedAt: number;
  /** How many upstreams were tried. */
  readonly attempts: number;
  readonly switches: readonly TurnSwitch[];
  /** The upstream that was tried last, if any was, and why it did not serve the turn. */
  readonly last: Pick<Upstream, "id" | "label"> | undefined;
  readonly reason: string;
}

/** A turn as its client names it. `metadata`: what Codex sends with it, as JSON. */
export interface TurnName {
  readonly session: string | undefined;
  readonly metadata: string | null | undefined;
}

export interface MovedTurns {
  /** Keeps the progress of a turn until its client sends it again. A turn without a session is not kept. */
  keep(turn: TurnName, progress: TurnProgress): void;
  /** Returns and forgets the progress of a turn; undefined if it has not been moved in the last moments. */
  take(turn: TurnName): TurnProgress | undefined;
}

export function createMovedTurns(clock: Pick<Clock, "monotonic">): MovedTurns {
  const moved = new BoundedMap<string, { readonly at: number; readonly progress: TurnProgress }>(MOST_TURNS);
  return {
    keep: (turn, progress) => {
      if (turn.session !== undefined) moved.set(keyOf(turn), { at: clock.monotonic(), progress });
    },
    take: (turn) => {
      // Nearly always, so that the metadata are read only once.
      if (moved.size === 0 || turn.session === undefined) return undefined;
      const key = keyOf(turn);
      const found = moved.get(key);
      moved.delete(key);
      return found !== undefined && clock.monotonic() - found.at <= LONGEST_GAP_MS
        ? found.progress
        : undefined;
    },
  };
}

// --- internal ---

const MOST_TURNS = 1_000;
/** Codex reconnects within a second. After a longer time the client has given the turn up, and sends another one. */
const LONGEST_GAP_MS = 30_000;

/** The agents of one session send turns at the same time, so a turn is known by its own id, too, if Codex sends it. */
function keyOf({ session, metadata }: TurnName): string {
  return `${session} ${turnMetadataOf(metadata).turnId ?? ""}`;
}

// The queue of turns that wait for a reset. One timer serves all of them, and runs only while there are some.
//
//   a waiting turn           takes no lease, no retry and no connection to an upstream; its body is kept, within a bound
//   an account can take it   the oldest such turn goes first, and the next one only after that one had time to be placed,
//                            so that the slow start of an account also applies to turns that waited
//   bound, shutdown          it is refused like any turn while the pool is exhausted

import { FIELD_NAMES } from "../core/status-quota.ts";
import type { Clock } from "../deps.ts";
import type { EventLog } from "../state/events.ts";
import type { Pool } from "../upstream/pool.ts";
import type { FirstReset } from "../upstream/shortage.ts";
import { expectReset, resetWithin, type WaitEnd, type WaitingTurn } from "./waiting-turn.ts";

/** How often the accounts are checked while turns wait: any of them may be available before its reset. */
export const LOOK_MS = 1_000;
/** The time between two turns that continue. */
export const PLACING_MS = 50;
/** Codex gives up after 300 s of silence. */
export const KEEP_ALIVE_MS = 60_000;

export interface WaitQueue {
  /** True if a turn that takes `bytes` can wait too. */
  hasRoom(bytes: number): boolean;
  /** Adds a turn. Its `ended` is called once. */
  add(turn: WaitingTurn): void;
  /** The turns that wait, the oldest first. */
  turns(): readonly WaitingTurn[];
  /** Refuses all of them because of `reason`. */
  refuseAll(reason: string): void;
}

export interface WaitQueueContext {
  readonly clock: Clock;
  readonly pool: Pick<Pool, "takerOf" | "shortage">;
  readonly events: EventLog;
}

export function createWaitQueue({ clock, pool, events }: WaitQueueContext): WaitQueue {
  /** Each turn with the listener that ends it when its client disconnects. Oldest first. */
  const waiting = new Map<WaitingTurn, () => void>();
  let waitingBytes = 0;
  let cancelLook: (() => void) | undefined;

  const lookIn = (ms: number): void => {
    cancelLook?.();
    cancelLook = clock.after(ms, look);
  };

  const end = (turn: WaitingTurn, how: WaitEnd, reason?: string): void => {
    const leave = waiting.get(turn);
    if (leave === undefined) return;
    waiting.delete(turn);
    waitingBytes -= turn.bytes;
    turn.signal.removeEventListener("abort", leave);
    const about = {
      req_id: turn.incoming.requestId,
      waited_seconds: Math.round((clock.now() - turn.sinceMs) / 1000),
    };
    if (how === "again") events.append("request.resumed", about);
    else events.append("request.wait_ended", { ...about, reason });
    if (waiting.size === 0) {
      cancelLook?.();
      cancelLook = undefined;
    }
    turn.ended(how);
  };

  /** Lets at most one turn continue. Returns true if one did. */
  const letOneContinue = (nowMs: number): boolean => {
    for (const turn of waiting.keys()) {
      const leftMs = turn.leftMs();
      if (leftMs <= 0) {
        if (pool.takerOf(turn.origin) === undefined)
          end(turn, "refuse", turn.mayWait() ? "expired" : "wait_disabled");
        else end(turn, "again");
        continue;
      }
      if (turn.keepAlive !== undefined && turn.silentUntilMs <= nowMs) {
        turn.silentUntilMs = nowMs + KEEP_ALIVE_MS;
        turn.keepAlive();
      }
      if (nowMs < turn.notBeforeMs) continue;
      const taker = pool.takerOf(turn.origin);
      if (taker !== undefined) {
        // While an account recovers, it gets no more turns at once than its slow start allows.
        if (taker.condition === "probing") continue;
        end(turn, "again");
        return true;
      }
      if (nowMs < turn.untilMs && nowMs < turn.shortageUntilMs) continue;
      const { origin, incoming } = turn;
      const shortage = pool.shortage(origin.session, origin.model, incoming.tags);
      if (resetWithin(shortage, nowMs, leftMs) === undefined) end(turn, "refuse", "no_reset");
      else expectReset(turn, shortage, nowMs);
    }
    return false;
  };

  function look(): void {
    cancelLook = undefined;
    const hasContinued = letOneContinue(clock.now());
    if (waiting.size > 0) lookIn(hasContinued ? PLACING_MS : LOOK_MS);
  }

  return {
    hasRoom: (bytes) => hasRoomFor(waiting.size, waitingBytes, bytes),
    add: (turn) => {
      const leave = () => end(turn, "left", "client_left");
      waiting.set(turn, leave);
      waitingBytes += turn.bytes;
      turn.silentUntilMs = turn.sinceMs + KEEP_ALIVE_MS;
      turn.signal.addEventListener("abort", leave, { once: true });
      const { requestId, runId } = turn.incoming;
      events.append("request.waiting", {
        req_id: requestId,
        session: turn.origin.session,
        ...(runId === undefined ? {} : { run: runId }),
        until: new Date(turn.untilMs).toISOString(),
        wait_seconds: Math.max(0, Math.ceil((turn.untilMs - turn.sinceMs) / 1000)),
        ...(turn.first === undefined ? {} : resetFields(turn.first)),
      });
      if (cancelLook === undefined) lookIn(LOOK_MS);
    },
    turns: () => [...waiting.keys()],
    refuseAll: (reason) => {
      for (const turn of [...waiting.keys()]) end(turn, "refuse", reason);
    },
  };
}

/** True if a turn of `bytes` can wait in addition to `turns` turns that take `waitingBytes`. */
export function hasRoomFor(turns: number, waitingBytes: number, bytes: number): boolean {
  return turns < MOST_WAITING_TURNS && waitingBytes + bytes <= MOST_WAITING_BYTES;
}

// --- internal ---

/** Waiting turns leave at least half of the memory for bodies to other requests. */
const MOST_WAITING_BYTES = 64 * 1024 * 1024;
const MOST_WAITING_TURNS = 256;

function resetFields({ label, window }: FirstReset): Record<string, string> {
  return { account_alias: label, ...(window === undefined ? {} : { window: FIELD_NAMES[window] }) };
}

// Turns that wait for a reset. If every account is exhausted, and one has a reset within the time that the settings or
// the run allow, the turn is kept open and tried again at that reset, or earlier if an account can take it.
//
//   a waiting turn           takes no lease, no retry and no connection to an upstream; its body is kept, within a bound
//   an account can take it   the oldest such turn goes first, and the next one only after that one had time to be placed,
//                            so that the slow start of an account also applies to turns that waited
//   refused after its wait   it waits again, each time a little longer before it is tried; the bound stays the same
//   bound, shutdown          it is refused like any turn while the pool is exhausted
//
// One timer serves all waiting turns, and runs only while there are some.

import type { TagDemand } from "../core/account-tags.ts";
import { BoundedMap } from "../core/bounded-map.ts";
import type { Hop } from "../core/hops.ts";
import type { WaitingSummary } from "../core/run-tag.ts";
import { FIELD_NAMES } from "../core/status-quota.ts";
import { LONGEST_WAIT_MS, waitBoundOf } from "../core/wait-bound.ts";
import type { Clock } from "../deps.ts";
import type { EventLog } from "../state/events.ts";
import type { Origin } from "../upstream/placement.ts";
import type { Pool } from "../upstream/pool.ts";
import type { FirstReset, Shortage } from "../upstream/shortage.ts";

/** What decides how long the turns of a request may wait. */
export interface WaitTerms {
  /** The proxies of a chain that the request has passed. */
  readonly hops: readonly Hop[];
  /** How long the run lets its turns wait, ms. */
  readonly waitMs: number;
  /** The account whose window the turn is to start; undefined for a client's turn. */
  readonly anchorsId?: string | undefined;
}

/** A turn that no account can serve now. */
export interface UnservedTurn {
  readonly incoming: WaitTerms & {
    readonly requestId: number;
    readonly runId: string | undefined;
    readonly tags: readonly TagDemand[];
  };
  readonly origin: Origin;
  /** The memory that it takes while it waits. */
  readonly bytes: number;
  /** Aborted when the client disconnects. */
  readonly signal: AbortSignal;
  /** Called once a minute, for a client that gives up after a long silence. Default: nothing is sent. */
  readonly keepAlive?: (() => void) | undefined;
}

/** `again`: try the turn again. `refuse`: answer it as exhausted. `left`: the client has disconnected. */
export type WaitEnd = "again" | "refuse" | "left";

/** The wait of one turn. It may wait several times; the bound is for all of them together. */
export interface TurnWait {
  /** Waits. Undefined if the turn must not wait, or not any longer. */
  next(): Promise<WaitEnd> | undefined;
}

export interface WaitingTurns {
  /** Prepares a wait for a turn that cannot be served because of `shortage`; undefined if the turn must not wait. */
  waitFor(turn: UnservedTurn, shortage: Shortage): TurnWait | undefined;
  /** Whether turns of `incoming` would wait because of `shortage`. */
  wouldWait(incoming: WaitTerms, shortage: Shortage): boolean;
  /** The turns that wait now, or those of one run. */
  summary(runId?: string): WaitingSummary;
  /** Refuses all waiting turns, and lets no more turns wait. */
  stop(): void;
}

export interface WaitingTurnsContext {
  readonly clock: Clock;
  readonly pool: Pick<Pool, "takerOf" | "shortage" | "live">;
  readonly events: EventLog;
  /** The setting `proxy.wait_for_reset`. */
  readonly waitForReset: () => string;
}

/** How often the accounts are looked at while turns wait: each of them may be back before its reset. */
export const LOOK_MS = 1_000;
/** The time between two turns that continue. */
export const PLACING_MS = 50;
/** Codex gives up after 300 s of silence. */
export const KEEP_ALIVE_MS = 60_000;
/** Waiting turns leave at least half of the memory for bodies to other requests. */
const MOST_WAITING_BYTES = 64 * 1024 * 1024;
const MOST_WAITING_TURNS = 256;
/** The reasons of a shortage are computed again at the reset, and this often before it. */
const SHORTAGE_MS = 30_000;
/** The longest time before a turn is tried again that was refused after its wait. */
const LONGEST_BACKOFF_MS = 60_000;

export function createWaitingTurns(context: WaitingTurnsContext): WaitingTurns {
  const { clock, pool, events, waitForReset } = context;
  /** Oldest first. */
  const waiting = new Set<WaitingTurn>();
  /** The runs of the last turns that have continued, by the ids of their requests. */
  const resumed = new BoundedMap<number, string>(MOST_WAITING_TURNS);
  let waitingBytes = 0;
  let isStopped = false;
  let cancelLook: (() => void) | undefined;

  const allowedMs = ({ hops, waitMs, anchorsId }: WaitTerms): number => {
    // A proxy in front has other accounts, and lets turns wait itself. Another turn can start a window later.
    if (isStopped || hops.length > 0 || anchorsId !== undefined) return 0;
    return Math.min(LONGEST_WAIT_MS, Math.max(waitMs, waitBoundOf(waitForReset()) ?? 0));
  };

  const lookIn = (ms: number): void => {
    cancelLook?.();
    cancelLook = clock.after(ms, look);
  };

  const end = (turn: WaitingTurn, how: WaitEnd, reason?: string): void => {
    if (!waiting.delete(turn)) return;
    waitingBytes -= turn.bytes;
    turn.signal.removeEventListener("abort", turn.leave);
    const { requestId, runId } = turn.incoming;
    if (how === "again" && runId !== undefined) resumed.set(requestId, runId);
    const waited_seconds = Math.round((clock.now() - turn.sinceMs) / 1000);
    if (how === "again") events.append("request.resumed", { req_id: requestId, waited_seconds });
    else events.append("request.wait_ended", { req_id: requestId, waited_seconds, reason });
    if (waiting.size === 0) {
      cancelLook?.();
      cancelLook = undefined;
    }
    turn.ended(how);
  };

  /** Lets at most one turn continue. Returns true if one did. */
  const letOneContinue = (nowMs: number): boolean => {
    for (const turn of waiting) {
      const leftMs = turn.leftMs();
      if (leftMs <= 0) {
        if (pool.takerOf(turn.origin) === undefined)
          end(turn, "refuse", allowedMs(turn.incoming) > 0 ? "expired" : "wait_disabled");
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
      else expect(turn, shortage, nowMs);
    }
    return false;
  };

  function look(): void {
    cancelLook = undefined;
    const hasContinued = letOneContinue(clock.now());
    if (waiting.size > 0) lookIn(hasContinued ? PLACING_MS : LOOK_MS);
  }

  const begin = (turn: WaitingTurn): Promise<WaitEnd> =>
    new Promise((resolve) => {
      turn.ended = resolve;
      waiting.add(turn);
      waitingBytes += turn.bytes;
      turn.signal.addEventListener("abort", turn.leave, { once: true });
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
    });

  return {
    wouldWait: (incoming, shortage) => resetWithin(shortage, clock.now(), allowedMs(incoming)) !== undefined,
    waitFor: (unserved, shortage) => {
      const { incoming, signal } = unserved;
      if (resetWithin(shortage, clock.now(), allowedMs(incoming)) === undefined) return undefined;
      const beganMs = clock.now();
      const beganAt = clock.monotonic();
      // One of the clocks may have been set back, and the other one does not run while the machine sleeps.
      const passedMs = () => Math.max(clock.now() - beganMs, clock.monotonic() - beganAt);
      let waits = 0;
      return {
        next: () => {
          const nowMs = clock.now();
          const leftMs = allowedMs(incoming) - passedMs();
          const current =
            waits === 0
              ? shortage
              : pool.shortage(unserved.origin.session, unserved.origin.model, incoming.tags);
          if (signal.aborted || resetWithin(current, nowMs, leftMs) === undefined) return undefined;
          if (waiting.size >= MOST_WAITING_TURNS || waitingBytes + unserved.bytes > MOST_WAITING_BYTES)
            return undefined;
          const turn: WaitingTurn = {
            ...unserved,
            leftMs: () => allowedMs(incoming) - passedMs(),
            sinceMs: nowMs,
            silentUntilMs: nowMs + KEEP_ALIVE_MS,
            notBeforeMs:
              waits === 0 ? nowMs : nowMs + Math.min(LONGEST_BACKOFF_MS, LOOK_MS * 2 ** (waits - 1)),
            untilMs: 0,
            shortageUntilMs: 0,
            first: undefined,
            leave: () => end(turn, "left", "client_left"),
            ended: () => {},
          };
          expect(turn, current, nowMs);
          waits++;
          return begin(turn);
        },
      };
    },
    summary: (runId) => {
      const turns = [...waiting].filter(({ incoming }) => runId === undefined || incoming.runId === runId);
      const [next] = turns.sort((a, b) => a.untilMs - b.untilMs);
      const count = pool
        .live()
        .filter(({ requestId }) => runId !== undefined && resumed.get(requestId) === runId).length;
      const served = count === 0 ? {} : { resumed: count };
      if (next === undefined) return { turns: 0, ...served };
      const { untilMs, first } = next;
      const window = first?.window;
      return {
        turns: turns.length,
        ...served,
        untilMs,
        account: first?.label,
        window: window === undefined ? undefined : FIELD_NAMES[window],
      };
    },
    stop: () => {
      isStopped = true;
      for (const turn of [...waiting]) end(turn, "refuse", "shutting_down");
    },
  };
}

// --- internal ---

interface WaitingTurn extends UnservedTurn {
  /** How long it may still wait, ms. */
  readonly leftMs: () => number;
  /** Unix ms. */
  readonly sinceMs: number;
  /** When the client gets the next sign of life, Unix ms. */
  silentUntilMs: number;
  /** The earliest time at which it is tried again, Unix ms. */
  readonly notBeforeMs: number;
  /** The reset that it waits for, Unix ms. */
  untilMs: number;
  /** When its shortage is computed again, Unix ms. */
  shortageUntilMs: number;
  first: FirstReset | undefined;
  readonly leave: () => void;
  ended: (end: WaitEnd) => void;
}

/** The first reset, if all accounts are exhausted and it is at most `leftMs` away; Unix ms. */
function resetWithin({ kind, untilMs }: Shortage, nowMs: number, leftMs: number): number | undefined {
  if (kind !== "all_exhausted" || untilMs === undefined || leftMs <= 0) return undefined;
  return untilMs - nowMs <= leftMs ? untilMs : undefined;
}

function expect(turn: WaitingTurn, { untilMs = 0, first }: Shortage, nowMs: number): void {
  turn.untilMs = untilMs;
  turn.first = first;
  turn.shortageUntilMs = nowMs + SHORTAGE_MS;
}

function resetFields({ label, window }: FirstReset): Record<string, string> {
  return { account_alias: label, ...(window === undefined ? {} : { window: FIELD_NAMES[window] }) };
}

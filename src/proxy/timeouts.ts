// Limits waits: for a connection, for a response head, for the next part of a response. Each limit has a setting, which
// the error names.

import type { Clock } from "../deps.ts";
import type { Timeouts } from "./context.ts";

/** Limits the time between `begin` and `end`. */
export interface IdleWatch {
  begin(): void;
  end(): void;
  /** Ends the current wait, if any, and cancels the timer. */
  stop(): void;
}

/** A running wait checks at least this often whether its limit has become shorter. */
const PATIENCE_CHECK_MS = 2_000;

/**
 * Calls `expired` when a wait exceeds `idleMs`. Uses one timer for all waits of a response, because most of them end
 * within milliseconds. `idleMs` may shrink during a wait, for example when the upstream becomes unreachable. Time
 * during which this process was stopped does not count, because it says nothing about the upstream.
 */
export function createIdleWatch(clock: Clock, idleMs: () => number, expired: () => void): IdleWatch {
  let sinceMs: number | undefined;
  let cancel: (() => void) | undefined;
  const arm = (ms: number): void => {
    cancel = clock.after(Math.min(ms, PATIENCE_CHECK_MS), () => {
      cancel = undefined;
      if (sinceMs === undefined) return;
      const leftMs = sinceMs + idleMs() - clock.monotonic();
      if (leftMs > 0) return arm(leftMs);
      sinceMs = undefined;
      expired();
    });
  };
  return {
    begin: () => {
      sinceMs = clock.monotonic();
      if (cancel === undefined) arm(idleMs());
    },
    end: () => {
      sinceMs = undefined;
    },
    stop: () => {
      sinceMs = undefined;
      cancel?.();
      cancel = undefined;
    },
  };
}

/**
 * Watches a request to `url` (the backend or the proxy before it). Call the returned function when the response head
 * has arrived. `expired` gets the reason for a timeout: no connection, or no head within `headMs` (which may shrink
 * during the wait; infinite: no limit). `fetch` does not report when it is connected, so after half of `connectMs` a
 * separate connection is tried in the other half.
 */
export function watchHead(
  clock: Clock,
  url: string,
  { connectMs, headMs }: { readonly connectMs: number; readonly headMs: () => number },
  expired: (why: string) => void,
): () => void {
  const sinceMs = clock.monotonic();
  let isOver = false;
  let isProbed = false;
  let cancel = () => {};
  const expire = (why: string): void => {
    if (!isOver) expired(why);
    isOver = true;
  };
  const probe = async (): Promise<void> => {
    isProbed = true;
    if (!(await canConnect(url, connectMs / 2, clock)))
      expire(`no connection within ${connectMs / 1000} s (connect_timeout_seconds)`);
  };
  // One timer for both limits: most responses begin within milliseconds.
  const watch = (waitedMs: number): void => {
    const leftMs = headMs() - waitedMs;
    if (leftMs <= 0) return expire(`no response within ${headMs() / 1000} s (head_timeout_seconds)`);
    if (!isProbed && waitedMs >= connectMs / 2) void probe();
    const probeMs = isProbed ? Number.POSITIVE_INFINITY : connectMs / 2 - waitedMs;
    cancel = clock.after(Math.min(leftMs, probeMs, PATIENCE_CHECK_MS), () =>
      watch(clock.monotonic() - sinceMs),
    );
  };
  watch(0);
  return () => {
    isOver = true;
    cancel();
  };
}

/** The reason for a response whose next part did not arrive in time. */
export function idleWhy({ idleMs }: Pick<Timeouts, "idleMs">): string {
  return `nothing arrived for ${idleMs / 1000} s (idle_timeout_seconds)`;
}

// --- internal ---

async function canConnect(url: string, withinMs: number, clock: Clock): Promise<boolean> {
  const { hostname, port, protocol } = new URL(url);
  const connected = Promise.withResolvers<boolean>();
  const watch = createIdleWatch(
    clock,
    () => withinMs,
    () => connected.resolve(false),
  );
  watch.begin();
  try {
    const connecting = Bun.connect({
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port) || (protocol === "https:" ? 443 : 80),
      socket: {
        open: (socket) => {
          socket.end();
          connected.resolve(true);
        },
        connectError: () => connected.resolve(false),
        error: () => {},
        data: () => {},
      },
    });
    connecting.catch(() => connected.resolve(false));
    return await connected.promise;
  } finally {
    watch.stop();
  }
}

// One turn on an upstream's socket, up to the commit barrier: sent, and its events kept until one is worth passing on.

import { readTurnSignal, type TurnSignal } from "../core/turn.ts";
import type { Failure } from "../core/verdict.ts";
import type { Clock } from "../deps.ts";
import type { Timeouts } from "./context.ts";
import type { UpstreamSocket } from "./dial.ts";
import { HOLD_LIMIT_EVENTS, HOLD_MS } from "./hold.ts";
import { createIdleWatch, idleWhy } from "./timeouts.ts";

/** What came of the beginning of a turn. Nobody listens to the socket then; what comes meanwhile is kept. */
export type BegunTurn =
  /**
   * There is something for the client. `by`: the end of it is output, or there was none within the bounds. `over`: it is
   * the whole turn.
   */
  | {
      readonly kind: "begun";
      readonly held: readonly string[];
      readonly by: "output" | "bound";
      readonly over: boolean;
    }
  | { readonly kind: "failed"; readonly failure: Failure; readonly message: string }
  /** The request is larger than the upstream accepts, whichever account sends it. */
  | { readonly kind: "too_big"; readonly reason: string }
  /** The socket fell silent, or was closed (`stale`: by an upstream that may have meant to close an idle one). */
  | { readonly kind: "broken"; readonly why: string; readonly stale: boolean }
  /** The client went away. */
  | { readonly kind: "aborted" };

export interface TurnWatch {
  readonly clock: Clock;
  readonly timeouts: Timeouts;
  /** How long a silence is waited out that the settings would wait out for `configuredMs`. */
  readonly patienceMs: (configuredMs: number) => number;
  /** The client went away. */
  readonly signal: AbortSignal;
  /** What is to be passed on of an event that tells limits, after learning from it. */
  readonly limits: (signal: Extract<TurnSignal, { kind: "quota" }>, json: string) => string;
}

/** Close code of an endpoint that was sent a message larger than it takes (RFC 6455, 7.4.1). */
export const TOO_BIG = 1009;

/** Held events beyond this size are released. */
const HOLD_LIMIT_CHARS = 1024 * 1024;

/** Sends `request` (a `response.create` message) and reads on until it is known what comes of it. */
export function beginTurn(
  socket: UpstreamSocket,
  request: string,
  { clock, timeouts, patienceMs, signal, limits }: TurnWatch,
): Promise<BegunTurn> {
  return new Promise((resolve) => {
    const held: string[] = [];
    let heldChars = 0;
    // A silence that may last longer than anything is held does not matter here.
    const idle =
      timeouts.idleMs < HOLD_MS
        ? createIdleWatch(
            clock,
            () => timeouts.idleMs,
            () => finish({ kind: "broken", why: idleWhy(timeouts), stale: false }),
          )
        : undefined;
    const finish = (turn: BegunTurn): void => {
      cancelTimer();
      head.stop();
      idle?.stop();
      signal.removeEventListener("abort", aborted);
      socket.listen(undefined);
      resolve(turn);
    };
    const aborted = () => finish({ kind: "aborted" });
    const headMs = () => patienceMs(timeouts.headMs);
    const head = createIdleWatch(clock, headMs, () =>
      finish({
        kind: "broken",
        why: `the turn did not begin within ${headMs() / 1000} s (head_timeout_seconds)`,
        stale: false,
      }),
    );
    let cancelTimer = () => {};
    const hold = (message: string): void => {
      if (held.length === 0) {
        head.stop();
        cancelTimer = clock.after(HOLD_MS, () => finish({ kind: "begun", held, by: "bound", over: false }));
      }
      held.push(message);
      heldChars += message.length;
      if (heldChars > HOLD_LIMIT_CHARS || held.length >= HOLD_LIMIT_EVENTS)
        finish({ kind: "begun", held, by: "bound", over: false });
    };
    const take = (message: string): void => {
      idle?.begin();
      const signal = readTurnSignal(message, clock.now());
      switch (signal.kind) {
        case "preamble":
          return hold(message);
        case "quota":
          return hold(limits(signal, message));
        case "output":
        case "completed":
          held.push(message);
          return finish({ kind: "begun", held, by: "output", over: signal.kind === "completed" });
        case "failed":
          return finish({ kind: "failed", failure: signal.failure, message });
        default:
          return signal satisfies never;
      }
    };
    if (signal.aborted) return aborted();
    signal.addEventListener("abort", aborted, { once: true });
    if (!socket.send(request))
      return finish({ kind: "broken", why: "it does not read what the proxy sends", stale: false });
    head.begin();
    socket.listen({
      message: (message) => {
        // Frames of bytes are no events; whoever sent one means it to arrive.
        if (typeof message === "string") take(message);
      },
      closed: (code, reason) =>
        finish(
          code === TOO_BIG
            ? { kind: "too_big", reason }
            : {
                kind: "broken",
                why: `the connection was closed (${code}) before the turn began`,
                stale: true,
              },
        ),
    });
  });
}

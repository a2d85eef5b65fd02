// Begins a turn on an upstream's socket: sends the request, and reads its events up to the commit barrier.

import type { Failure } from "../../core/failure.ts";
import type { Verdict } from "../../core/verdict.ts";
import type { Clock } from "../../deps.ts";
import type { Timeouts } from "../context.ts";
import { createIdleWatch } from "../timeouts.ts";
import { type CommitBarrier, createCommitBarrier } from "../turn/commit-barrier.ts";
import type { TurnReader } from "../turn/turn-reader.ts";
import type { Closing } from "./closing.ts";
import type { UpstreamSocket } from "./upstream-socket.ts";

/** How the turn began. Afterwards the socket has no listener, and keeps the messages that arrive. */
export type BeginTurnResult =
  /** `held`: events for the client, with the pool's figures. `isOver`: they are the whole turn. */
  | { readonly kind: "begun"; readonly held: readonly string[]; readonly isOver: boolean }
  | {
      readonly kind: "failed";
      readonly failure: Failure;
      readonly verdict: Verdict;
      /** The event as received. */
      readonly event: string;
    }
  /** The request is larger than the upstream accepts from any account. */
  | { readonly kind: "too_big"; readonly reason: string }
  /** `isStale`: the upstream closed the socket, possibly because it had been idle. */
  | { readonly kind: "broken"; readonly why: string; readonly isStale: boolean }
  /** The client disconnected. */
  | { readonly kind: "aborted" };

export interface BeginTurnOptions {
  readonly clock: Clock;
  readonly timeouts: Timeouts;
  /** The longest silence, ms. `configuredMs` is the one in the settings. */
  readonly patienceMs: (configuredMs: number) => number;
  /** The end of the client's tunnel. */
  readonly closing: Closing;
}

/** Close code of an endpoint that got a larger message than it takes (RFC 6455, 7.4.1). */
export const TOO_BIG = 1009;

/** Sends `request` (a `response.create` message) and reads until the commit barrier opens, or the turn fails. */
export function beginTurn(
  socket: UpstreamSocket,
  request: string,
  reader: TurnReader,
  { clock, timeouts, patienceMs, closing }: BeginTurnOptions,
): Promise<BeginTurnResult> {
  if (closing.isClosed) return Promise.resolve({ kind: "aborted" });
  return new Promise((resolve, reject) => {
    let barrier: CommitBarrier<string> | undefined;
    const headMs = () => patienceMs(timeouts.headMs);
    const head = createIdleWatch(clock, headMs, () =>
      broken(`the turn did not begin within ${headMs() / 1000} s (head_timeout_seconds)`, false),
    );
    const stop = (): void => {
      head.stop();
      barrier?.stop();
      unlisten();
      socket.listen(undefined);
    };
    const finish = (turn: BeginTurnResult): void => {
      stop();
      resolve(turn);
    };
    const aborted = () => finish({ kind: "aborted" });
    const broken = (why: string, isStale: boolean) => finish({ kind: "broken", why, isStale });
    const begun = (by: "output" | "bound", isOver: boolean): void => {
      stop();
      reader.commit(by);
      resolve({ kind: "begun", held: barrier?.held ?? [], isOver });
    };

    /** The first message has arrived: from now on the barrier's bounds apply. */
    const opened = (): CommitBarrier<string> => {
      head.stop();
      return createCommitBarrier<string>(clock, timeouts, (opening) =>
        opening.kind === "silent" ? broken(opening.why, false) : begun("bound", false),
      );
    };
    const take = (message: string): void => {
      barrier ??= opened();
      barrier.heard();
      const meaning = reader.read(undefined, () => message);
      if (meaning.kind === "failed") {
        const { failure, verdict } = meaning;
        return finish({ kind: "failed", failure, verdict, event: message });
      }
      const event = meaning.changed ?? message;
      if (meaning.kind === "hold") return barrier.hold(event, event.length);
      // Output opens the barrier, so the bounds do not count any more.
      barrier.stop();
      barrier.hold(event, event.length);
      begun("output", meaning.kind === "over");
    };

    const unlisten = closing.listen(aborted);
    if (!socket.send(request)) return broken("the connection no longer accepts data", false);
    head.begin();
    socket.listen({
      message: (message) => {
        // A binary message is not an event, so it is ignored.
        if (typeof message !== "string") return;
        try {
          take(message);
        } catch (error) {
          stop();
          reject(error);
        }
      },
      closed: (code, reason) =>
        code === TOO_BIG
          ? finish({ kind: "too_big", reason })
          : broken(`the connection was closed (${code}) before the turn began`, true),
    });
  });
}

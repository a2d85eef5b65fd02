// The upstream's end of a tunnel: the open socket, which a turn may replace with a socket to another upstream.

import type { Choice } from "../../core/policy.ts";
import type { UpstreamConnection } from "./dial-upstream.ts";

export interface UpstreamEnd {
  current(): UpstreamConnection;
  /** Why the upstream was chosen when the client connected; undefined once a turn was served. */
  choice(): Choice | undefined;
  /** A turn was served. */
  served(): void;
  /** Closes the current socket and uses `next` from now on. */
  replace(next: UpstreamConnection): void;
  /** Reads nothing from the upstream until `resume`. */
  pause(): void;
  resume(): void;
  close(): void;
}

/** `moved` is called when a socket to another upstream replaces the current one. */
export function createUpstreamEnd(
  first: UpstreamConnection,
  firstChoice: Choice,
  moved: (fromId: string, toId: string) => void,
): UpstreamEnd {
  let open = first;
  let choice: Choice | undefined = firstChoice;
  let isPaused = false;
  let isClosed = false;
  return {
    current: () => open,
    choice: () => choice,
    served: () => {
      choice = undefined;
    },
    replace: (next) => {
      if (next.upstreamId !== open.upstreamId) moved(open.upstreamId, next.upstreamId);
      open.socket.close();
      open = next;
      if (isPaused) open.socket.pause();
      if (isClosed) open.socket.close();
    },
    pause: () => {
      isPaused = true;
      open.socket.pause();
    },
    resume: () => {
      isPaused = false;
      open.socket.resume();
    },
    close: () => {
      isClosed = true;
      open.socket.close();
    },
  };
}

// Counts the clients of a proxy that `codexlb run` started, so that the proxy can exit after the last one.

import type { Clock } from "../deps.ts";

export interface Presence {
  /** Registers a client. Call the returned function when the client leaves; further calls have no effect. */
  enter(): () => void;
  /** Resolves when the last client has left and no other follows, or when no client ever arrives. */
  deserted(): Promise<void>;
}

/** The time in which the first client must arrive. */
const FIRST_MS = 30_000;
/** How long to wait for another client after the last one left. */
const GRACE_MS = 1_000;

export function createPresence(clock: Clock): Presence {
  const gone = Promise.withResolvers<void>();
  let present = 0;
  let cancel = clock.after(FIRST_MS, gone.resolve);
  return {
    enter: () => {
      let isHere = true;
      present++;
      cancel();
      return () => {
        if (!isHere) return;
        isHere = false;
        present--;
        if (present === 0) cancel = clock.after(GRACE_MS, gone.resolve);
      };
    },
    deserted: () => gone.promise,
  };
}

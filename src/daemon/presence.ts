// Who uses a proxy that was started for them, and when the last of them has gone.

import type { Clock } from "../deps.ts";

export interface Presence {
  /** Somebody uses the proxy until the returned function is called (once or more often). */
  enter(): () => void;
  /** Resolves when nobody has come, or the last has gone and nobody came after. */
  deserted(): Promise<void>;
}

/** Whoever started it comes within this time. */
const FIRST_MS = 30_000;
/** The next one may be on the way. */
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

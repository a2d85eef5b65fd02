// Folds the events of the event log for people: the same failure of the same account in a row is one line, with a count.

import { isRepetition, isSameFailure, isTransportDetail } from "../../core/event-filter.ts";
import type { LogEvent } from "../../core/log-event.ts";

/** One event or several in a row that say the same. */
export interface Fold {
  readonly first: LogEvent;
  readonly last: LogEvent;
  readonly count: number;
}

export interface LogFolds {
  /** Takes the next event. Returns the fold before it if that has not been shown, and cannot grow any more. */
  add(event: LogEvent): Fold | undefined;
  /** The fold that can still grow, if events of it have not been shown; they count as shown from now on. */
  rest(): Fold | undefined;
  /** The number of events of that fold of which its reader knows. */
  shown(): number;
}

export function createLogFolds(): LogFolds {
  let open: Fold | undefined;
  let shown = 0;
  const rest = (): Fold | undefined => {
    if (open === undefined || shown === open.count) return undefined;
    shown = open.count;
    return open;
  };
  return {
    add: (event) => {
      if (isTransportDetail(event)) return undefined;
      if (open !== undefined && isSameFailure(event, open.last)) {
        open = { ...open, last: event, count: open.count + 1 };
        return undefined;
      }
      if (isRepetition(event, open?.last)) return undefined;
      const before = rest();
      open = { first: event, last: event, count: 1 };
      shown = 0;
      return before;
    },
    rest,
    shown: () => shown,
  };
}

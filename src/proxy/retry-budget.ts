// Limits how many requests are retried at the same time: a share of the requests in flight, but at least a floor. While
// the backend itself fails, retries only multiply its load, even more so in a chain of proxies. Without a retry, the
// client gets the failure, and tries again later by itself.

export interface RetryBudgetSettings {
  /** Percent of the requests in flight that may be retries. */
  readonly percent: number;
  /** This many retries are always allowed. */
  readonly floor: number;
}

export interface RetryBudget {
  /** Begins a retry; the returned function ends it. Returns undefined if no more retries are allowed. */
  begin(): (() => void) | undefined;
}

/** `inFlight` returns the number of requests in flight, including retries. */
export function createRetryBudget(settings: () => RetryBudgetSettings, inFlight: () => number): RetryBudget {
  let retries = 0;
  return {
    begin: () => {
      const { percent, floor } = settings();
      if (retries >= Math.max(floor, (inFlight() * percent) / 100)) return undefined;
      retries++;
      let isOver = false;
      return () => {
        if (!isOver) retries--;
        isOver = true;
      };
    },
  };
}

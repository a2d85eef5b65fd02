// How many requests may be tried again at the same time: a share of what is under way, with a floor. When the backend
// itself is failing, trying again only multiplies its load, the more so through a chain of proxies; then the client is
// told, and tries again by itself, later.

export interface RetryBudgetSettings {
  /** Percent of the requests under way that may be retries. */
  readonly percent: number;
  /** As many retries are always allowed. */
  readonly floor: number;
}

export interface RetryBudget {
  /** Begins a retry; the returned function ends it. Undefined when there are enough of them. */
  begin(): (() => void) | undefined;
}

/** `inFlight`: requests under way now, retries among them. */
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

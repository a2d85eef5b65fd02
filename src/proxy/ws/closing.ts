// The end of a tunnel, as its turns notice it. Each turn listens twice, and the listeners of an AbortSignal take several
// microseconds, so there is a signal only for the rare turn that dials.

export interface Closing {
  readonly isClosed: boolean;
  /** Calls `run` when the tunnel closes, until the returned function is called. */
  listen(run: () => void): () => void;
  /** A signal that is aborted when the tunnel closes. */
  signal(): AbortSignal;
}

/** `close` reports that the tunnel closes now. */
export function createClosing(): Closing & { close(): void } {
  const listeners = new Set<() => void>();
  let controller: AbortController | undefined;
  let isClosed = false;
  return {
    get isClosed() {
      return isClosed;
    },
    listen: (run) => {
      listeners.add(run);
      return () => void listeners.delete(run);
    },
    signal: () => {
      controller ??= new AbortController();
      if (isClosed) controller.abort();
      return controller.signal;
    },
    close: () => {
      isClosed = true;
      controller?.abort();
      for (const run of listeners) run();
    },
  };
}

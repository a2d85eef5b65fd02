// What signals mean to a running proxy: SIGINT and SIGTERM stop it in order, the second one at once; SIGHUP has it read
// its settings again, unless it comes because the terminal was closed that the proxy runs in.

import { closeSync, openSync } from "node:fs";

export interface ProxySignals {
  /** Resolves with the first one that stops the proxy. */
  readonly stop: Promise<NodeJS.Signals>;
  /** Aborted by the second; the reason is the signal. */
  readonly hurry: AbortSignal;
  /** Calls `reload` for every SIGHUP from now on; one that came before is made up for. */
  onReload(reload: () => void): void;
}

/** Listens from now on. */
export function listenForSignals(): ProxySignals {
  const stop = Promise.withResolvers<NodeJS.Signals>();
  const hurry = new AbortController();
  // Under nohup, or a service manager, they are files or pipes: then there is no terminal to be closed.
  const inTerminal = process.stdout.isTTY && process.stderr.isTTY;
  let isStopping = false;
  let missed = 0;
  let reload = (): void => {
    missed++;
  };
  const end = (signal: NodeJS.Signals): void => {
    if (isStopping) hurry.abort(signal);
    isStopping = true;
    stop.resolve(signal);
  };
  process.on("SIGINT", () => end("SIGINT"));
  process.on("SIGTERM", () => end("SIGTERM"));
  process.on("SIGHUP", () => {
    if (inTerminal && !hasTerminal()) end("SIGHUP");
    else reload();
  });
  return {
    stop: stop.promise,
    hurry: hurry.signal,
    onReload: (handler) => {
      reload = handler;
      if (missed > 0) handler();
    },
  };
}

// --- internal ---

function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}

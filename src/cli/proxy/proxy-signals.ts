// Handles the signals of a running proxy. SIGINT and SIGTERM shut it down, and a second one stops it immediately.
// SIGHUP reloads the settings, unless it was sent because the proxy's terminal was closed.

import { closeSync, openSync } from "node:fs";

export interface ProxySignals {
  /** Resolves with the first signal that stops the proxy. */
  readonly stop: Promise<NodeJS.Signals>;
  /** Aborted by a second signal that stops the proxy; the reason is that signal. */
  readonly hurry: AbortSignal;
  /** Calls `reload` for every SIGHUP from now on, and once now if SIGHUP came before. */
  onReload(reload: () => void): void;
}

/** Starts listening for signals. */
export function listenForSignals(): ProxySignals {
  const stop = Promise.withResolvers<NodeJS.Signals>();
  const hurry = new AbortController();
  // Under nohup or a service manager the outputs are files or pipes, so no terminal can be closed.
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

// The client's end of a tunnel. If the client reads slowly, the upstream has to wait; if it reads nothing for as long
// as an upstream may be silent, the tunnel is closed. Messages that arrive together are written together.

import type { Clock } from "../../deps.ts";
import { createIdleWatch } from "../timeouts.ts";
import type { UpstreamEnd } from "./upstream-end.ts";
import type { Message } from "./upstream-socket.ts";

/** A client's socket; Bun's `ServerWebSocket` implements it. */
export interface ClientSocket {
  send(message: Message): number;
  /** Bytes that the client has not read yet. */
  getBufferedAmount(): number;
  close(code?: number, reason?: string): void;
  terminate(): void;
  /** Gathers the messages that `send` sends into one write. */
  cork(send: () => void): void;
}

export interface ClientEnd {
  /** The client is connected by `socket`. */
  opened(socket: ClientSocket): void;
  /**
   * Sends a message immediately if it is the first since the event loop last ran, otherwise together with the others.
   */
  send(message: Message): void;
  /** Sends a message together with others, for a message that others will probably follow. */
  queue(message: Message): void;
  /** The client has read some of the buffered data. */
  drained(): void;
  /** True while the upstream has to wait for the client. */
  isSlow(): boolean;
  /** Closes the socket; with a code that must not be sent (1005, 1006, 1015), breaks it off. */
  close(code: number, reason?: string): void;
  /** Stops waiting for a slow client. */
  stop(): void;
}

/** A client with this much unread is slow: the kernel's own buffers of a few megabytes are full by then. */
const SLOW_CLIENT_BYTES = 1024 * 1024;
/** The total size of waiting messages, in bytes or characters, at which they are written immediately. */
const MOST_WAITING_SIZE = 64 * 1024;
/** Close codes that only describe how a connection ended (RFC 6455, 7.4.1). */
const NEVER_SENT: ReadonlySet<number> = new Set([1005, 1006, 1015]);

/** `gone` is called when the client has read nothing for `idleMs`. */
export function createClientEnd(
  clock: Clock,
  idleMs: () => number,
  upstream: Pick<UpstreamEnd, "pause" | "resume">,
  gone: () => void,
): ClientEnd {
  let client: ClientSocket | undefined;
  let isSlow = false;
  /** Messages since the event loop last ran that are not sent yet. Undefined if there were no messages. */
  let waiting: Message[] | undefined;
  let waitingSize = 0;
  const slowness = createIdleWatch(clock, idleMs, gone);

  const flush = (): void => {
    const messages = waiting;
    waiting = undefined;
    waitingSize = 0;
    if (client === undefined || messages === undefined || messages.length === 0) return;
    const to = client;
    to.cork(() => {
      for (const message of messages) to.send(message);
    });
    noticeSlowness(to);
  };

  const noticeSlowness = (socket: ClientSocket): void => {
    if (isSlow || socket.getBufferedAmount() <= SLOW_CLIENT_BYTES) return;
    isSlow = true;
    upstream.pause();
    slowness.begin();
  };

  const queue = (message: Message): void => {
    if (client === undefined) return;
    if (waiting === undefined) {
      waiting = [];
      setImmediate(flush);
    }
    waiting.push(message);
    waitingSize += message.length;
    if (waitingSize > MOST_WAITING_SIZE) flush();
  };

  return {
    opened: (socket) => {
      client = socket;
    },
    send: (message) => {
      if (waiting !== undefined || client === undefined) return queue(message);
      waiting = [];
      setImmediate(flush);
      client.send(message);
      noticeSlowness(client);
    },
    queue,
    drained: () => {
      if (!isSlow || client === undefined) return;
      if (client.getBufferedAmount() > SLOW_CLIENT_BYTES / 2) return slowness.begin();
      isSlow = false;
      slowness.end();
      upstream.resume();
    },
    isSlow: () => isSlow,
    close: (code, reason) => {
      flush();
      if (NEVER_SENT.has(code)) client?.terminate();
      else client?.close(code, reason);
    },
    stop: slowness.stop,
  };
}

// The open WebSocket to an upstream: messages in both directions, with bounds on the unread data of either side.

import WebSocket from "ws";
import type { Clock } from "../../deps.ts";

export type Message = string | Uint8Array;

export interface UpstreamSocket {
  /** False once it has ended, whichever side ended it. */
  isOpen(): boolean;
  /** Returns false, without sending, if the upstream has too much unread data. */
  send(message: Message): boolean;
  /** Reads nothing from the upstream until `resume`, so that it has to wait. Repeated calls are harmless. */
  pause(): void;
  resume(): void;
  /**
   * Sets the listener, which first gets the messages that arrived while there was none. `undefined`: messages are kept
   * for the next listener.
   */
  listen(listener: SocketListener | undefined): void;
  /** Closes the socket. The listener gets no more messages. */
  close(): void;
}

export interface SocketListener {
  message(message: Message): void;
  /** The upstream answered a ping, or may send again after a pause. The wait for its next message starts again. */
  alive?(): void;
  /** The upstream closed it. `code` is 1006 if the connection broke. */
  closed(code: number, reason: string): void;
}

/** Often enough to keep a NAT or firewall from dropping the connection, and to notice a dead connection. */
const PING_INTERVAL_MS = 30_000;
/** How much an upstream may leave unread: a message of the largest size, and one that is being sent. */
const UNREAD_LIMIT_BYTES = 32 * 1024 * 1024;
/** How much all upstreams together may leave unread: more than all turns that the budget of bodies admits at once. */
const ALL_UNREAD_LIMIT_BYTES = 64 * 1024 * 1024;
/** One socket may always have this much unread. */
const SMALL_UNREAD_BYTES = 64 * 1024;
/** The limit for messages that arrive without a listener. Beyond it, the upstream has to wait. */
const QUEUE_LIMIT_CHARS = 1024 * 1024;
/** Messages of one upstream that are handled before other requests run: a few milliseconds. */
const BATCH_MESSAGES = 256;

/** Wraps `socket`, which may still be connecting. */
export function createUpstreamSocket(socket: WebSocket, clock: Clock): UpstreamSocket {
  let listener: SocketListener | undefined;
  let isClosed = false;
  let isPaused = false;
  /** Waiting messages: there was no listener, or too many arrived at once. Those before `head` were handled. */
  let queue: Message[] = [];
  let head = 0;
  let queuedChars = 0;
  /** Messages handled since the event loop last ran. */
  let passed = 0;
  let isWaiting = false;
  let ending: { readonly code: number; readonly reason: string } | undefined;
  let endSentTo: SocketListener | undefined;
  let cancelPing = () => {};

  const ping = (): void => {
    cancelPing = clock.after(PING_INTERVAL_MS, () => {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.ping();
      ping();
    });
  };

  /** Continues after the event loop has run. */
  const later = (): void => {
    if (isWaiting) return;
    isWaiting = true;
    setImmediate(() => {
      isWaiting = false;
      passed = 0;
      passQueue();
    });
  };

  const passQueue = (): void => {
    // The listener may set another listener, which then gets the next message.
    while (!isClosed && listener !== undefined && head < queue.length && passed < BATCH_MESSAGES) {
      const message = queue[head++] ?? "";
      passed++;
      queuedChars -= message.length;
      listener.message(message);
    }
    if (isClosed || listener === undefined) return;
    if (head < queue.length) return later();
    queue = [];
    head = 0;
    if (!isPaused) socket.resume();
    passEnd();
  };

  const passEnd = (): void => {
    if (ending === undefined || isClosed || listener === undefined || endSentTo === listener) return;
    endSentTo = listener;
    listener.closed(ending.code, ending.reason);
  };

  const arrived = (message: Message): void => {
    if (isClosed) return;
    if (listener !== undefined && head === queue.length && passed < BATCH_MESSAGES) {
      passed++;
      if (passed === 1) later();
      return listener.message(message);
    }
    queue.push(message);
    queuedChars += message.length;
    if (queuedChars > QUEUE_LIMIT_CHARS || listener !== undefined) socket.pause();
    if (listener !== undefined) later();
  };

  socket.on("open", ping);
  socket.on("pong", () => listener?.alive?.());
  // Unlike `on`, this gives text as a string, and not as bytes to be decoded again.
  socket.addEventListener("message", ({ data }) =>
    arrived(typeof data === "string" ? data : new Uint8Array(data as Buffer)),
  );
  socket.on("close", (code: number, reason: Buffer) => {
    cancelPing();
    unreadSockets.delete(socket);
    ending = { code, reason: String(reason ?? "") };
    if (head === queue.length) passEnd();
  });
  return {
    isOpen: () => !isClosed && socket.readyState === WebSocket.OPEN,
    send: (message) => {
      // A closing socket takes no more messages, and calls `closed`.
      if (socket.readyState !== WebSocket.OPEN) return true;
      if (socket.bufferedAmount > UNREAD_LIMIT_BYTES || !hasRoom(socket, message.length)) return false;
      socket.send(message);
      if (socket.bufferedAmount > 0) unreadSockets.add(socket);
      return true;
    },
    pause: () => {
      isPaused = true;
      socket.pause();
    },
    resume: () => {
      isPaused = false;
      if (head === queue.length) socket.resume();
      listener?.alive?.();
    },
    listen: (to) => {
      listener = to;
      passQueue();
    },
    close: () => {
      isClosed = true;
      cancelPing();
      // Without `terminate`, unsent data would stay in memory until the upstream reads it.
      if (socket.bufferedAmount > 0) socket.terminate();
      else socket.close(1000);
    },
  };
}

// --- internal ---

/** Open sockets whose upstream may not have read everything. The limit on that memory is for the whole process. */
const unreadSockets = new Set<WebSocket>();

/** Whether `bytes` more may wait for the upstream of `socket`. Small messages to an upstream that reads always may. */
function hasRoom(socket: WebSocket, bytes: number): boolean {
  if (socket.bufferedAmount + bytes <= SMALL_UNREAD_BYTES) return true;
  let total = bytes;
  for (const other of unreadSockets) {
    if (other.bufferedAmount === 0) unreadSockets.delete(other);
    total += other.bufferedAmount;
  }
  return total <= ALL_UNREAD_LIMIT_BYTES;
}

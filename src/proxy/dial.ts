// Opens a WebSocket to an upstream: an open socket, or the upstream's refusal as an honest HTTP answer.

import WebSocket, { type ClientOptions } from "ws";
import type { Clock } from "../deps.ts";
import { messageOf } from "../errors.ts";
import { egressProblem } from "../network/connect-problem.ts";
import { type Egress, socketOptions } from "../network/egress.ts";

/** An open socket to an upstream. */
export interface UpstreamSocket {
  /** False once it has ended, by whomever. */
  isOpen(): boolean;
  /** Returns false, without sending, if the upstream has too much unread data. */
  send(message: string | Uint8Array): boolean;
  /** Reads nothing from the upstream until `resume`, so that it has to wait. Repeated calls are harmless. */
  pause(): void;
  resume(): void;
  /** Says whom to tell from now on, beginning with what came while nobody was told (`undefined`: nobody). */
  listen(listener: SocketListener | undefined): void;
  /** Closes it; nobody is told anything any more. */
  close(): void;
}

export interface SocketListener {
  message(message: string | Uint8Array): void;
  /** The upstream answered a ping: it is there, though it says nothing. */
  alive?(): void;
  /** The upstream closed it (`code` 1006: it broke). */
  closed(code: number, reason: string): void;
}

export type Dialled =
  | { readonly kind: "open"; readonly socket: UpstreamSocket; readonly headers: Headers }
  | { readonly kind: "refused"; readonly status: number; readonly headers: Headers; readonly body: string }
  | { readonly kind: "broken"; readonly why: string }
  | { readonly kind: "aborted" };

/** Often enough for anything in between that drops silent connections, and for noticing one that is dead. */
const PING_INTERVAL_MS = 30_000;
/** Largest message of an upstream: several times the size of an event with a picture. */
const MESSAGE_LIMIT_BYTES = 32 * 1024 * 1024;
/** How much an upstream may leave unread: a message of the largest size, and one that is being sent. */
const UNREAD_LIMIT_BYTES = 32 * 1024 * 1024;
/** How much all upstreams together may leave unread: more than all turns that the budget of bodies admits at once. */
const ALL_UNREAD_LIMIT_BYTES = 64 * 1024 * 1024;
/** This much of one socket is not looked into. */
const SMALL_UNREAD_BYTES = 64 * 1024;
/** How much is kept of messages that arrive before there is a listener; beyond this the upstream has to wait. */
const QUEUE_LIMIT_CHARS = 1024 * 1024;
/** Messages of one upstream that are passed on before other requests get a turn: a few milliseconds. */
const BATCH_MESSAGES = 256;
/** A refusal's body beyond this is cut off. */
const REFUSAL_LIMIT_CHARS = 1024 * 1024;

export interface DialOptions {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly egress: Egress;
  /** Longest wait for the handshake, ms. */
  readonly timeoutMs: number;
}

export function dial(
  url: string,
  headers: Headers,
  { signal, clock, egress, timeoutMs }: DialOptions,
): Promise<Dialled> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve({ kind: "aborted" });
    const options: ClientOptions = {
      headers: Object.fromEntries(headers),
      maxPayload: MESSAGE_LIMIT_BYTES,
      followRedirects: false,
      ...socketOptions(egress),
    };
    let socket: WebSocket;
    try {
      socket = new WebSocket(url.replace(/^http/, "ws"), options);
    } catch (error) {
      // Bun cannot use this proxy.
      return resolve({ kind: "broken", why: egressProblem(error, url, egress) ?? messageOf(error) });
    }
    let decided = false;
    let replyHeaders = new Headers();
    const decide = (dialled: Dialled) => {
      if (decided) return;
      decided = true;
      cancelTimer();
      signal.removeEventListener("abort", aborted);
      if (dialled.kind !== "open") socket.terminate();
      resolve(dialled);
    };
    const aborted = () => decide({ kind: "aborted" });
    const cancelTimer = clock.after(timeoutMs, () =>
      decide({
        kind: "broken",
        why: `no answer to the handshake within ${timeoutMs / 1000} s (connect_timeout_seconds)`,
      }),
    );
    signal.addEventListener("abort", aborted, { once: true });
    socket.on("upgrade", (reply) => {
      replyHeaders = headersOf(reply.headers);
    });
    socket.on("unexpected-response", (_request, reply) => {
      let body = "";
      const refused = () =>
        decide({ kind: "refused", status: reply.statusCode ?? 502, headers: headersOf(reply.headers), body });
      reply.on("data", (chunk: Buffer) => {
        body += chunk.toString("utf8", 0, REFUSAL_LIMIT_CHARS - body.length);
        if (body.length >= REFUSAL_LIMIT_CHARS) refused();
      });
      reply.on("end", refused);
      reply.on("error", (error: Error) => decide({ kind: "broken", why: error.message }));
    });
    const upstream = upstreamSocket(socket, clock);
    socket.on("open", () => decide({ kind: "open", socket: upstream, headers: replyHeaders }));
    socket.on("error", (error) =>
      decide({ kind: "broken", why: egressProblem(error, url, egress) ?? messageOf(error) }),
    );
    socket.on("close", () => decide({ kind: "broken", why: "the connection closed during the handshake" }));
  });
}

// --- internal ---

function upstreamSocket(socket: WebSocket, clock: Clock): UpstreamSocket {
  let listener: SocketListener | undefined;
  let silent = false;
  let isPaused = false;
  /** Messages not yet passed on: there was no listener, or too many came at once. Those before `head` are done with. */
  let queue: (string | Uint8Array)[] = [];
  let head = 0;
  let queuedChars = 0;
  /** Messages passed on since the event loop last ran. */
  let passed = 0;
  let isWaiting = false;
  let ended: { code: number; reason: string } | undefined;
  let endKnownTo: SocketListener | undefined;
  let cancelPing = () => {};
  const ping = (): void => {
    cancelPing = clock.after(PING_INTERVAL_MS, () => {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.ping();
      ping();
    });
  };
  /** Lets the event loop run, and goes on. */
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
    // A listener may hand over to another one in the middle, which then goes on here.
    while (!silent && listener !== undefined && head < queue.length && passed < BATCH_MESSAGES) {
      const message = queue[head++] ?? "";
      passed++;
      queuedChars -= message.length;
      listener.message(message);
    }
    if (silent || listener === undefined) return;
    if (head < queue.length) return later();
    queue = [];
    head = 0;
    if (!isPaused) socket.resume();
    tellEnd();
  };
  const tellEnd = (): void => {
    if (ended === undefined || silent || listener === undefined || endKnownTo === listener) return;
    endKnownTo = listener;
    listener.closed(ended.code, ended.reason);
  };
  socket.on("open", ping);
  socket.on("pong", () => listener?.alive?.());
  socket.on("message", (data: Buffer, isBinary: boolean) => {
    if (silent) return;
    const message = isBinary ? new Uint8Array(data) : data.toString("utf8");
    if (listener !== undefined && head === queue.length && passed < BATCH_MESSAGES) {
      passed++;
      if (passed === 1) later();
      return listener.message(message);
    }
    queue.push(message);
    queuedChars += message.length;
    if (queuedChars > QUEUE_LIMIT_CHARS || listener !== undefined) socket.pause();
    if (listener !== undefined) later();
  });
  socket.on("close", (code: number, reason: Buffer) => {
    cancelPing();
    unreadSockets.delete(socket);
    ended = { code, reason: String(reason ?? "") };
    if (head === queue.length) tellEnd();
  });
  return {
    isOpen: () => !silent && socket.readyState === WebSocket.OPEN,
    send: (message) => {
      // A socket that is closing reports it through `closed`; there is nobody to send to any more.
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
    },
    listen: (to) => {
      listener = to;
      passQueue();
    },
    close: () => {
      silent = true;
      cancelPing();
      // Data that is not on its way yet would stay in memory until the upstream reads it.
      if (socket.bufferedAmount > 0) socket.terminate();
      else socket.close(1000);
    },
  };
}

/** Open sockets whose upstream has perhaps not read everything. The memory that this takes is the whole process's. */
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

function headersOf(source: Readonly<Record<string, string | string[] | undefined>>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(source))
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined) headers.append(name, one);
  return headers;
}

// Opens a WebSocket to an upstream: an open socket, or the upstream's refusal as an honest HTTP answer.

import WebSocket, { type ClientOptions } from "ws";
import type { Clock } from "../deps.ts";
import { messageOf } from "../errors.ts";

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
/** How much is kept of messages that arrive before there is a listener; beyond this the upstream has to wait. */
const EARLY_LIMIT_CHARS = 1024 * 1024;
/** A refusal's body beyond this is cut off. */
const REFUSAL_LIMIT_CHARS = 1024 * 1024;

export interface DialOptions {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** The HTTP proxy to go through, if any. */
  readonly proxy: string | undefined;
  /** Longest wait for the handshake, ms. */
  readonly timeoutMs: number;
}

export function dial(
  url: string,
  headers: Headers,
  { signal, clock, proxy, timeoutMs }: DialOptions,
): Promise<Dialled> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve({ kind: "aborted" });
    const options: ClientOptions & { proxy?: string } = {
      headers: Object.fromEntries(headers),
      maxPayload: MESSAGE_LIMIT_BYTES,
      followRedirects: false,
      ...(proxy === undefined ? {} : { proxy }), // Bun's own option
    };
    const socket = new WebSocket(url.replace(/^http/, "ws"), options);
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
    socket.on("error", (error) => decide({ kind: "broken", why: messageOf(error) }));
    socket.on("close", () => decide({ kind: "broken", why: "the connection closed during the handshake" }));
  });
}

// --- internal ---

function upstreamSocket(socket: WebSocket, clock: Clock): UpstreamSocket {
  let listener: SocketListener | undefined;
  let silent = false;
  let isPaused = false;
  const early: (string | Uint8Array)[] = [];
  let earlyChars = 0;
  let ended: { code: number; reason: string } | undefined;
  let cancelPing = () => {};
  const ping = (): void => {
    cancelPing = clock.after(PING_INTERVAL_MS, () => {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.ping();
      ping();
    });
  };
  socket.on("open", ping);
  socket.on("pong", () => listener?.alive?.());
  socket.on("message", (data: Buffer, isBinary: boolean) => {
    if (silent) return;
    const message = isBinary ? new Uint8Array(data) : data.toString("utf8");
    if (listener !== undefined) return listener.message(message);
    early.push(message);
    earlyChars += message.length;
    if (earlyChars > EARLY_LIMIT_CHARS) socket.pause();
  });
  socket.on("close", (code: number, reason: Buffer) => {
    cancelPing();
    ended = { code, reason: String(reason ?? "") };
    if (!silent) listener?.closed(ended.code, ended.reason);
  });
  return {
    isOpen: () => !silent && socket.readyState === WebSocket.OPEN,
    send: (message) => {
      // A socket that is closing reports it through `closed`; there is nobody to send to any more.
      if (socket.readyState !== WebSocket.OPEN) return true;
      if (socket.bufferedAmount > UNREAD_LIMIT_BYTES) return false;
      socket.send(message);
      return true;
    },
    pause: () => {
      isPaused = true;
      socket.pause();
    },
    resume: () => {
      isPaused = false;
      if (earlyChars <= EARLY_LIMIT_CHARS) socket.resume();
    },
    listen: (to) => {
      listener = to;
      // A listener may hand over to another one in the middle of what came early.
      while (listener !== undefined && early.length > 0) {
        const message = early.shift();
        earlyChars -= message?.length ?? 0;
        if (message !== undefined) listener.message(message);
      }
      if (earlyChars <= EARLY_LIMIT_CHARS && !isPaused) socket.resume();
      if (ended !== undefined && !silent) listener?.closed(ended.code, ended.reason);
    },
    close: () => {
      silent = true;
      cancelPing();
      socket.close(1000);
    },
  };
}

function headersOf(source: Readonly<Record<string, string | string[] | undefined>>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(source))
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined) headers.append(name, one);
  return headers;
}

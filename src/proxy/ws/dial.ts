// Opens a WebSocket to an upstream: the result is an open socket, or the upstream's refusal as an HTTP response.

import WebSocket, { type ClientOptions } from "ws";
import type { Clock } from "../../deps.ts";
import { egressProblem } from "../../network/connect-problem.ts";
import { type Egress, socketOptions } from "../../network/egress.ts";
import { createUpstreamSocket, type UpstreamSocket } from "./upstream-socket.ts";

export type DialResult =
  | { readonly kind: "open"; readonly socket: UpstreamSocket; readonly headers: Headers }
  | { readonly kind: "refused"; readonly status: number; readonly headers: Headers; readonly body: string }
  | { readonly kind: "broken"; readonly why: string }
  | { readonly kind: "aborted" };

/** Largest message of an upstream: several times the size of an event with a picture. */
const MESSAGE_LIMIT_BYTES = 32 * 1024 * 1024;
/** A refusal's body beyond this is cut off. */
const REFUSAL_LIMIT_CHARS = 1024 * 1024;

export interface DialOptions {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly egress: Egress;
  /** Longest wait for the handshake, ms. */
  readonly timeoutMs: number;
}

/** Never throws. */
export function dial(
  url: string,
  headers: Headers,
  { signal, clock, egress, timeoutMs }: DialOptions,
): Promise<DialResult> {
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
      return resolve({ kind: "broken", why: egressProblem(error, url, egress) });
    }
    let isDecided = false;
    let replyHeaders = new Headers();
    const decide = (dialled: DialResult) => {
      if (isDecided) return;
      isDecided = true;
      cancelTimer();
      signal.removeEventListener("abort", aborted);
      if (dialled.kind !== "open") socket.terminate();
      resolve(dialled);
    };
    const aborted = () => decide({ kind: "aborted" });
    const cancelTimer = clock.after(timeoutMs, () =>
      decide({
        kind: "broken",
        why: `no response to the handshake within ${timeoutMs / 1000} s (connect_timeout_seconds)`,
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
    const upstream = createUpstreamSocket(socket, clock);
    socket.on("open", () => decide({ kind: "open", socket: upstream, headers: replyHeaders }));
    socket.on("error", (error) => decide({ kind: "broken", why: egressProblem(error, url, egress) }));
    socket.on("close", () => decide({ kind: "broken", why: "the connection closed during the handshake" }));
  });
}

// --- internal ---

function headersOf(source: Readonly<Record<string, string | string[] | undefined>>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(source))
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined) headers.append(name, one);
  return headers;
}

// A minimal HTTP/1.1 client, cheap enough that the load takes little CPU from the proxy under test. It supports only
// what the benchmark needs: one request at a time, and responses with a length or in chunks.

import type { Socket } from "bun";

export interface HttpConnection {
  /** Sends one request. Rejects if the connection ends before the response is complete. */
  send(request: Uint8Array, onData?: (data: Buffer) => void): Promise<HttpResponse>;
  close(): void;
}

export interface HttpResponse {
  readonly status: number;
  /** The status line and the headers, as received. */
  readonly head: string;
  /** The number of bytes in the body, without its framing. */
  readonly bytes: number;
}

/** Connects to `origin`, such as `http://127.0.0.1:1234`. */
export async function connectHttp(origin: string): Promise<HttpConnection> {
  const { hostname, port } = new URL(origin);
  let pending: Pending | undefined;
  let unsent: Uint8Array | undefined;
  const flush = (socket: Socket): void => {
    if (unsent === undefined) return;
    const written = Math.max(0, socket.write(unsent));
    unsent = written < unsent.byteLength ? unsent.subarray(written) : undefined;
  };
  const ended = (): void => {
    pending?.reject(new Error(`${origin} closed the connection before the end of its response`));
    pending = undefined;
  };
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data: (_socket, data) => {
        const complete = pending?.reader.push(data);
        if (complete === undefined) return;
        const { resolve } = pending as Pending;
        pending = undefined;
        resolve(complete);
      },
      drain: flush,
      close: ended,
      error: ended,
    },
  });
  socket.setNoDelay(true);
  return {
    send: (request, onData) =>
      new Promise((resolve, reject) => {
        pending = { reader: createResponseReader(onData), resolve, reject };
        unsent = request;
        flush(socket);
      }),
    close: () => socket.terminate(),
  };
}

/** A request in wire format. */
export function httpRequest(
  origin: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array,
): Uint8Array {
  const bytes = Buffer.from(body);
  const lines = Object.entries({
    host: new URL(origin).host,
    ...headers,
    "content-length": String(bytes.byteLength),
  });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${head}\r\n`), bytes]);
}

interface ResponseReader {
  /** Reads `data`. Returns the response when it is complete. */
  push(data: Buffer): HttpResponse | undefined;
}

/** Reads one response; `onData` receives the pieces of its body. */
export function createResponseReader(onData?: (data: Buffer) => void): ResponseReader {
  let state: "head" | "length" | "chunk" | "size" | "trailer" = "head";
  let head = "";
  let line = "";
  /** The number of missing bytes of the body or of the chunk. */
  let left = 0;
  let bytes = 0;
  const complete = (): HttpResponse => ({ status: Number(head.slice(9, 12)), head, bytes });

  /** Processes a whole line of the framing. Returns true at the end of the response. */
  const endLine = (): boolean => {
    const text = line.trimEnd();
    line = "";
    if (state === "trailer") return text === "";
    // An empty line ends the data of a chunk.
    if (text === "") return false;
    left = Number.parseInt(text, 16);
    state = left === 0 ? "trailer" : "chunk";
    return false;
  };

  return {
    push: (data) => {
      let at = 0;
      if (state === "head") {
        const seen = head.length;
        head += data.toString("latin1");
        const end = head.indexOf("\r\n\r\n", Math.max(0, seen - 3));
        if (end < 0) return undefined;
        at = end + 4 - seen;
        head = head.slice(0, end);
        const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
        state = length === undefined ? "size" : "length";
        left = Number(length ?? 0);
        if (state === "length" && left === 0) return complete();
      }
      while (at < data.byteLength) {
        if (state === "length" || state === "chunk") {
          const size = Math.min(left, data.byteLength - at);
          onData?.(data.subarray(at, at + size));
          at += size;
          bytes += size;
          left -= size;
          if (left > 0) continue;
          if (state === "length") return complete();
          state = "size";
          continue;
        }
        const end = data.indexOf(0x0a, at);
        if (end < 0) {
          line += data.toString("latin1", at);
          break;
        }
        line += data.toString("latin1", at, end);
        at = end + 1;
        if (endLine()) return complete();
      }
      return undefined;
    },
  };
}

// --- internal ---

interface Pending {
  readonly reader: ResponseReader;
  resolve(response: HttpResponse): void;
  reject(error: Error): void;
}

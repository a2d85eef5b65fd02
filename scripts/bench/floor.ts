// The floor: the least that a proxy in JavaScript on Bun can do. It replaces the credentials, and forwards everything
// else without reading it. It buffers request bodies, keeps response bodies native, and uses Bun's built-in WebSocket
// client. The benchmark compiles it like the program.

import type { Server } from "bun";

interface FloorOptions {
  /** The scheme, host and port of the backend. */
  readonly backend: string;
  /** Replaces the client's `authorization` and `chatgpt-account-id`. */
  readonly credentials: Readonly<Record<string, string>>;
}

interface Floor {
  readonly origin: string;
  stop(): Promise<void>;
}

/** Starts the floor on any free port of 127.0.0.1. */
export function startFloor({ backend, credentials }: FloorOptions): Floor {
  const headersFor = (request: Request): Headers => {
    const headers = new Headers(request.headers);
    for (const [name, value] of Object.entries(credentials)) headers.set(name, value);
    headers.delete("host");
    return headers;
  };
  const server: Server<WebSocket> = Bun.serve<WebSocket>({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    development: false,
    fetch: async (request, self) => {
      const url = backend + request.url.slice(origin.length);
      const headers = headersFor(request);
      if (headers.has("upgrade")) {
        const data = await dial(url, headers);
        return self.upgrade(request, { data }) ? undefined : new Response(null, { status: 400 });
      }
      const response = await fetch(url, {
        method: request.method,
        headers,
        body: request.method === "GET" ? null : await request.arrayBuffer(),
        redirect: "manual",
        decompress: false,
        timeout: false,
        proxy: false,
      });
      return new Response(response.body, response);
    },
    websocket: {
      idleTimeout: 0,
      perMessageDeflate: false,
      open: (client) => {
        client.data.onmessage = ({ data }) => client.send(data);
        client.data.onclose = ({ code, reason }) => client.close(code, reason);
      },
      message: (client, message) => client.data.send(message),
      close: ({ data }) => {
        data.onclose = null;
        data.close();
      },
    },
  });
  const origin = `http://127.0.0.1:${server.port}`;
  return { origin, stop: () => server.stop(true) };
}

// --- internal ---

/** The headers of a handshake that Bun's client adds itself. */
const OWN_HEADERS = [
  "connection",
  "upgrade",
  "sec-websocket-extensions",
  "sec-websocket-key",
  "sec-websocket-version",
];

function dial(url: string, headers: Headers): Promise<WebSocket> {
  for (const name of OWN_HEADERS) headers.delete(name);
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace(/^http/, "ws"), { headers: headers.toJSON() });
    socket.onopen = () => resolve(socket);
    socket.onerror = () => reject(new Error(`the backend at ${url} refused the WebSocket`));
  });
}

if (import.meta.main) {
  const [backend = "", credentials = "{}"] = process.argv.slice(2);
  console.log(startFloor({ backend, credentials: JSON.parse(credentials) }).origin);
}

// An HTTPS proxy that refuses every connection and records its target.

import { createServer } from "node:net";

export interface Recorder extends AsyncDisposable {
  readonly url: string;
  /** `host:port` of every CONNECT request. */
  readonly hosts: string[];
  /** Resolves at the first CONNECT request for `host`. */
  sees(host: string): Promise<void>;
}

export async function startRecorder(): Promise<Recorder> {
  const hosts: string[] = [];
  const waiting = new Map<string, () => void>();
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (data) => {
      const line = data.toString("latin1").split("\r\n")[0] ?? "";
      const host = line.split(" ")[1] ?? line;
      hosts.push(host);
      waiting.get(host)?.();
      socket.end("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
    });
  });
  const port = await new Promise<number>((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    }),
  );
  return {
    url: `http://127.0.0.1:${port}`,
    hosts,
    sees: (host) =>
      new Promise((resolve) => {
        if (hosts.includes(host)) resolve();
        else waiting.set(host, resolve);
      }),
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** Hosts of requests that bypassed the proxy: the targets of Codex's Responses, models, usage and account requests. */
export function backendsIn({ hosts }: Recorder): readonly string[] {
  return hosts.filter((host) => BACKENDS.test(host) && host !== METRICS);
}

// --- internal ---

const BACKENDS = /(?:^|\.)(?:chatgpt\.com|openai\.com):443$/;
/** Metrics. No base URL redirects them, and they contain no account and no content of a turn. */
const METRICS = "ab.chatgpt.com:443";

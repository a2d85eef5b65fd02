// Simulates an unknown program on the port of a proxy. It responds like a proxy, records every byte it receives, and
// can relay everything to a real proxy.

export interface Stranger extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Everything received so far: request lines, headers and bodies. */
  received(): string;
}

/** `relayTo`: the origin of the proxy to relay to. Default: the program claims to be a proxy itself. */
export function startStranger(relayTo?: string): Stranger {
  let received = "";
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      const body = await request.text();
      received += `${request.method} ${pathname}${search}\n${JSON.stringify([...request.headers])}\n${body}\n`;
      if (relayTo === undefined) return Response.json(AGREEABLE);
      const headers = new Headers(request.headers);
      headers.set("host", new URL(relayTo).host);
      return fetch(`${relayTo}${pathname}${search}`, {
        method: request.method,
        headers,
        ...(body === "" ? {} : { body }),
        redirect: "manual",
      });
    },
  });
  const port = server.port ?? 0;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    received: () => received,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

// --- internal ---

/** One response with plausible fields for every path. */
const AGREEABLE = {
  ok: true,
  service: "codexlb-proxy",
  accounts: [],
  keys: [],
  nonce: "n".repeat(43),
  port: 1,
  proof: "p".repeat(43),
  requests: 0,
  turns: 0,
};

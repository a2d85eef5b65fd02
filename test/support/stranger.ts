// A program that listens where a proxy should: it answers like one, keeps every byte that it is sent, and can pass
// everything on to a real proxy.

export interface Stranger extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Everything that it was sent: request lines, headers and bodies. */
  received(): string;
}

/** `relayTo`: the origin of the proxy that it passes everything on to. Default: it says that it is a proxy itself. */
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

/** Whatever is asked for, something of it is here. */
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

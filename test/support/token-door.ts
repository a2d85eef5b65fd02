// Stands before a token endpoint and holds its first request, so that a test decides what happens during a renewal.

export interface TokenDoor extends Disposable {
  readonly url: string;
  /** True once the first request has arrived. */
  readonly isHolding: boolean;
  /** Passes the first request on. Later requests are not held. */
  open(): void;
  /** Gives up the first request, as if it had been lost on its way. Later requests are not held. */
  drop(): void;
}

/** Starts a door before the endpoint `tokenUrl`. */
export function startTokenDoor(tokenUrl: string): TokenDoor {
  const opened = Promise.withResolvers<"open" | "drop">();
  let isHolding = false;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch: async (request) => {
      const body = await request.text();
      if (!isHolding) {
        isHolding = true;
        if ((await opened.promise) === "drop") return new Response(null, { status: 499 });
      }
      return fetch(tokenUrl, { proxy: false, method: "POST", headers: request.headers, body });
    },
  });
  return {
    url: server.url.href,
    get isHolding() {
      return isHolding;
    },
    open: () => opened.resolve("open"),
    drop: () => opened.resolve("drop"),
    [Symbol.dispose]: () => void server.stop(true),
  };
}

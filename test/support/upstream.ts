// A custom backend for tests of behaviour that the simulated backend does not have.

export interface TestUpstream extends AsyncDisposable {
  readonly baseUrl: string;
}

/**
 * Starts the backend. `handle` responds to all requests except those the proxy makes in the background (usage,
 * workspace routing), which get a 404.
 */
export function startUpstream(handle: (request: Request) => Response | Promise<Response>): TestUpstream {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    development: false,
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      if (/\/wham\/(?:usage|accounts\/check)$/.test(pathname)) return new Response(null, { status: 404 });
      return handle(request);
    },
  });
  return {
    baseUrl: `http://127.0.0.1:${server.port}/backend-api`,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

/** A promise and the function that resolves it. */
export function signal<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  return Promise.withResolvers<T>();
}

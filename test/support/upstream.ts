// A backend that a test writes itself, for what the simulated one does not do.

export interface TestUpstream extends AsyncDisposable {
  readonly baseUrl: string;
}

/** `handle` answers everything but the questions the proxy asks on its own (usage, workspace routing), which get a 404. */
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

/** A promise and what settles it. */
export function signal<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  return Promise.withResolvers<T>();
}

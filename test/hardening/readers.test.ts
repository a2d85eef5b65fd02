// Responses of a backend that are endless, or have too many or too small parts: reading them does not slow down other
// clients, and the proxy gives up at a limit.

import { describe, expect, test } from "bun:test";
import { eventStream, sseOf, startHardened, TURN, TURN_EVENTS } from "./proxy.ts";

/** A body that continues until its reader cancels it, and a count of the bytes read. */
function endless(part: string) {
  const bytes = new TextEncoder().encode(part.repeat(Math.ceil(65_536 / part.length)));
  let taken = 0;
  return {
    takenMiB: () => taken / 1024 / 1024,
    stream: () =>
      new ReadableStream<Uint8Array>({
        pull: (controller) => {
          taken += bytes.byteLength;
          controller.enqueue(bytes);
        },
      }),
  };
}

/** A backend that responds with `answer`, or with an ordinary response if `answer` returns undefined. */
function backend(answer: (path: string, request: Request) => Response | undefined) {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    development: false,
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      const own = answer(pathname, request);
      if (own !== undefined) return own;
      return /\/wham\//.test(pathname)
        ? new Response(null, { status: 404 })
        : eventStream(sseOf(TURN_EVENTS));
    },
  });
  return {
    baseUrl: `http://127.0.0.1:${server.port}/backend-api`,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

const isOfAlice = (request: Request) => request.headers.get("authorization") === "Bearer token-alice";

async function turn(url: string): Promise<{ status: number; text: string }> {
  const response = await fetch(url + TURN, { method: "POST", body: '{"model":"m"}' });
  return { status: response.status, text: await response.text() };
}

describe("a stream of many small events", () => {
  const few = ": c\n\n";
  for (const [what, unit] of [
    ["three bytes", "x\n\n"],
    ["comments", few],
    ["unknown events", "event: x\ndata: {}\n\n"],
    ["limits", `data: {"type":"codex.rate_limits","rate_limits":{"primary":{"used_percent":1}}}\n\n`],
  ] as const)
    test(`passes completely and blocks no other client (${what})`, async () => {
      const size = (what === "limits" ? 1 : 4) * 1024 * 1024;
      const noise = unit.repeat(Math.ceil(size / unit.length));
      await using upstream = backend((path) =>
        path.endsWith("/responses") ? eventStream(noise + sseOf(TURN_EVENTS)) : undefined,
      );
      await using proxy = await startHardened({ upstream: upstream.baseUrl });
      await proxy.endures(`${size / 1024 / 1024} MiB of ${what}`, async () => {
        const { status, text } = await turn(proxy.url());
        expect(status).toBe(200);
        expect(text).toEndWith(sseOf(TURN_EVENTS));
        if (what !== "limits") expect(text.length).toBe(noise.length + sseOf(TURN_EVENTS).length);
      });
      expect(await proxy.inFlight()).toBe(0);
    }, 60_000);
});

describe("an endless response", () => {
  for (const status of [429, 500, 403])
    test(`with the error status ${status} is abandoned, and another account serves`, async () => {
      const body = endless("error ");
      await using upstream = backend((path, request) =>
        path.endsWith("/responses") && isOfAlice(request)
          ? new Response(body.stream(), { status })
          : undefined,
      );
      await using proxy = await startHardened({ upstream: upstream.baseUrl });
      await proxy.endures(`an endless ${status}`, async () => {
        expect(await turn(proxy.url())).toMatchObject({ status: 200, text: sseOf(TURN_EVENTS) });
      });
      expect(body.takenMiB()).toBeLessThan(32);
      expect(await proxy.inFlight()).toBe(0);
    }, 60_000);

  for (const path of ["/wham/usage", "/wham/accounts/check"])
    test(`from ${path} is abandoned, and turns still work`, async () => {
      const body = endless('{"a":');
      await using upstream = backend((asked) =>
        asked.endsWith(path) ? new Response(body.stream()) : undefined,
      );
      await using proxy = await startHardened({ upstream: upstream.baseUrl });
      await proxy.endures(`an endless ${path}`, async () => {
        await fetch(`${proxy.url()}/status?refresh=1`);
        expect((await turn(proxy.url())).status).toBe(200);
      });
      expect(body.takenMiB()).toBeLessThan(64);
    }, 60_000);

  test("from a child's status is abandoned", async () => {
    const body = endless('{"accounts":[');
    await using upstream = backend((path) => (path === "/status" ? new Response(body.stream()) : undefined));
    const child = new URL(upstream.baseUrl).origin;
    await using proxy = await startHardened({
      upstream: upstream.baseUrl,
      config: `[proxy]\nchild_proxy_urls = ["${child}"]\n`,
    });
    await proxy.endures("an endless status", async () => {
      expect((await turn(proxy.url())).status).toBe(200);
    });
  }, 60_000);

  test("from a token endpoint is abandoned, and another account serves", async () => {
    const body = endless('{"access_token":"');
    await using upstream = backend((path, request) => {
      if (path === "/oauth/token") return new Response(body.stream());
      return path.endsWith("/responses") && isOfAlice(request)
        ? new Response("expired", { status: 401 })
        : undefined;
    });
    await using proxy = await startHardened({
      upstream: upstream.baseUrl,
      tokenUrl: `${new URL(upstream.baseUrl).origin}/oauth/token`,
      refreshToken: "r",
    });
    await proxy.endures("an endless token response", async () => {
      expect(await turn(proxy.url())).toMatchObject({ status: 200, text: sseOf(TURN_EVENTS) });
    });
    expect(body.takenMiB()).toBeLessThan(64);
  }, 60_000);
});

test("eight thousand additional limits do not slow a turn down", async () => {
  const window = {
    used_percent: 1,
    limit_window_seconds: 18_000,
    reset_at: Math.floor(Date.now() / 1000) + 3_600,
  };
  const usage = {
    plan_type: "pro",
    rate_limit: { primary_window: window, secondary_window: window },
    additional_rate_limits: Array.from({ length: 8_000 }, (_, index) => ({
      limit_name: `limit ${index}`,
      metered_feature: `feature_${index}`,
      rate_limit: { primary_window: window },
    })),
  };
  const limits = Array.from(
    { length: 60 },
    (_, index) => [`x-limit${index}-primary-used-percent`, "1"] as const,
  );
  await using upstream = backend((path) => {
    if (path.endsWith("/wham/usage")) return Response.json(usage);
    return path.endsWith("/responses")
      ? eventStream(sseOf(TURN_EVENTS), Object.fromEntries(limits))
      : undefined;
  });
  await using proxy = await startHardened({ upstream: upstream.baseUrl });
  await proxy.endures("8,000 limits for each account", async () => {
    await fetch(`${proxy.url()}/status?refresh=1`);
    for (let count = 0; count < 20; count++) {
      const response = await fetch(proxy.url() + TURN, { method: "POST", body: '{"model":"m"}' });
      expect(await response.text()).toBe(sseOf(TURN_EVENTS));
      // Clients read at most about a hundred headers of a response.
      expect([...response.headers].length).toBeLessThan(80);
    }
  });
}, 60_000);

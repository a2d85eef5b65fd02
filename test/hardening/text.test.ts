// An invalid text of one account must not affect the turns of other accounts: names and plans that no header can
// contain, impossible lengths and times, credentials that cannot be sent.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import WebSocket from "ws";
import { startUpstream } from "../support/upstream.ts";
import { eventStream, sseOf, startHardened, TURN, TURN_EVENTS, writeLogin } from "./proxy.ts";

const ODD = {
  "above U+00FF": "Gemüse 🥕 límit",
  "with a line break": "a\r\nx-injected: 1",
  "with a lone surrogate": "a\ud800b",
  "with NUL": "a\u0000b",
  "with an escape sequence": "\u001b[31mred",
  "of a megabyte": "x".repeat(1024 * 1024),
  empty: "",
};

const ABSURD = [1e308, -1, 0.1, 253_402_300_799, 9e15, "soon", null, [1], { a: 1 }];

/** The event in which the backend sends limits, over both transports. */
const limitsEvent = (text: unknown, number: unknown = 1) => ({
  type: "codex.rate_limits",
  plan_type: text,
  metered_limit_name: text,
  limit_name: text,
  rate_limits: {
    primary: { used_percent: number, window_minutes: number, reset_at: number },
    secondary: null,
  },
});

/** A backend whose usage, limits events and handshakes contain `text` and `number`. */
function oddBackend(text: unknown, number: unknown) {
  const window = { used_percent: number, limit_window_seconds: number, reset_at: number };
  const server = Bun.serve<undefined>({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    fetch: (request, self) => {
      const { pathname } = new URL(request.url);
      if (pathname.endsWith("/wham/usage"))
        return Response.json({
          plan_type: text,
          rate_limit: { primary_window: window, secondary_window: window },
          additional_rate_limits: [
            { limit_name: text, metered_feature: "spark", rate_limit: { primary_window: window } },
          ],
        });
      if (pathname.endsWith("/accounts/check")) return new Response(null, { status: 404 });
      const headers = {
        "x-codex-primary-used-percent": "1",
        "x-codex-primary-reset-at": String(number)
          .slice(0, 400)
          .replace(/[^ -~]/g, ""),
        "x-spark-primary-used-percent": "1",
      };
      if (request.headers.get("upgrade") === "websocket")
        return self.upgrade(request, { data: undefined, headers }) ? undefined : new Response(null);
      return eventStream(sseOf([limitsEvent(text, number), ...TURN_EVENTS]), headers);
    },
    websocket: {
      message: (socket) => {
        for (const event of [limitsEvent(text, number), ...TURN_EVENTS]) socket.send(JSON.stringify(event));
      },
    },
  });
  return {
    baseUrl: `http://127.0.0.1:${server.port}/backend-api`,
    [Symbol.dispose]: () => void server.stop(true),
  };
}

async function turnOverHttp(url: string): Promise<string> {
  const response = await fetch(url + TURN, { method: "POST", body: '{"model":"m"}' });
  return `${response.status} ${(await response.text()).includes("response.completed")}`;
}

function turnOverSocket(url: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url.replace("http", "ws") + TURN);
    socket.on("open", () => socket.send('{"type":"response.create","input":[]}'));
    socket.on("message", (data: Buffer) => {
      if (!data.toString().includes("response.completed")) return;
      socket.terminate();
      resolve("200 true");
    });
    socket.on("unexpected-response", (_request, reply) => resolve(`refused with ${reply.statusCode}`));
    socket.on("error", (error) => resolve(String(error)));
  });
}

describe("invalid text from a backend breaks no turn, over both transports, before and after a restart", () => {
  test("names and plans", async () => {
    for (const [what, text] of Object.entries(ODD)) {
      using backend = oddBackend(text, 1);
      await using proxy = await startHardened({ upstream: backend.baseUrl });
      await fetch(`${proxy.url()}/status?refresh=1`);
      for (const when of ["at first", "after a restart"]) {
        expect([what, when, await turnOverHttp(proxy.url())]).toEqual([what, when, "200 true"]);
        expect([what, when, await turnOverSocket(proxy.url())]).toEqual([what, when, "200 true"]);
        if (when === "at first") await proxy.restart();
      }
      expect([what, await proxy.inFlight()]).toEqual([what, 0]);
      const usage = await fetch(`${proxy.url()}/backend-api/wham/usage`);
      expect([what, usage.status]).toEqual([what, 200]);
    }
  }, 60_000);

  test("numbers", async () => {
    for (const number of ABSURD) {
      using backend = oddBackend("pro", number);
      await using proxy = await startHardened({ upstream: backend.baseUrl });
      await fetch(`${proxy.url()}/status?refresh=1`);
      expect([number, await turnOverHttp(proxy.url())]).toEqual([number, "200 true"]);
      expect([number, await turnOverSocket(proxy.url())]).toEqual([number, "200 true"]);
      const shown = await proxy.tool.run(["status", "--proxy-url", proxy.url()]);
      expect([number, shown.code, shown.err]).toEqual([number, 0, ""]);
    }
  }, 60_000);

  test("times to wait", async () => {
    for (const retryAfter of ["1e308", "9".repeat(400), "-5", "Fri, 31 Dec 9999 23:59:59 GMT", "soon"]) {
      let failures = 2;
      await using backend = startUpstream((request) => {
        const isAlice = request.headers.get("authorization") === "Bearer token-alice";
        if (isAlice && failures-- > 0)
          return Response.json(
            { error: { type: "rate_limit_exceeded", message: `try again in ${"9".repeat(300)}s` } },
            { status: 429, headers: { "retry-after": retryAfter } },
          );
        return eventStream(sseOf(TURN_EVENTS));
      });
      await using proxy = await startHardened({ upstream: backend.baseUrl });
      expect([retryAfter, await turnOverHttp(proxy.url())]).toEqual([retryAfter, "200 true"]);
      const { accounts } = await proxy.status();
      const alice = accounts.find(({ alias }) => alias === "alice");
      expect(alice?.cooldown_seconds).toBeGreaterThan(0);
      expect(alice?.cooldown_seconds).toBeLessThanOrEqual(3_600);
    }
  }, 60_000);
});

test("a login that cannot be sent affects only its own account, and cannot be imported", async () => {
  await using backend = startUpstream(() => eventStream(sseOf(TURN_EVENTS)));
  for (const fields of [
    { account_id: "a\r\nx-injected: 1" },
    { account_id: "é\u{1f955}" },
    { access_token: "a b\nc" },
    { access_token: "x".repeat(100_000) },
  ]) {
    await using proxy = await startHardened({
      upstream: backend.baseUrl,
      prepare: (tool) => writeLogin(tool, "alice", fields),
    });
    expect(await turnOverHttp(proxy.url())).toBe("200 true");
    const alice = (await proxy.status()).accounts.find(({ alias }) => alias === "alice");
    expect([alice?.enabled, alice?.in_flight]).toEqual([false, 0]);
    const home = join(proxy.tool.root, "accounts", "alice");
    const imported = await proxy.tool.run(["account", "import", "--from", home, "carol"]);
    expect([imported.code, imported.err]).toEqual([1, expect.stringContaining("cannot be sent in a header")]);
  }
}, 60_000);

test("a routing override that cannot be sent affects only its own account", async () => {
  const backend = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      if (!pathname.endsWith("/accounts/check")) return eventStream(sseOf(TURN_EVENTS));
      const id = request.headers.get("chatgpt-account-id");
      return Response.json({ accounts: [{ id, account_routing_override: "us\r\nx-injected: 1" }] });
    },
  });
  try {
    await using proxy = await startHardened({ upstream: `http://127.0.0.1:${backend.port}/backend-api` });
    expect(await turnOverHttp(proxy.url())).toBe("200 true");
    expect(await proxy.inFlight()).toBe(0);
  } finally {
    await backend.stop(true);
  }
});

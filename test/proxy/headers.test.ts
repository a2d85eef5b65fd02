// Which headers cross the proxy, in both directions and over both transports.

import { describe, expect, test } from "bun:test";
import WebSocket from "ws";
import { quotaFromHeaders } from "../../src/core/quota-wire.ts";
import { downstreamHeaders, outgoingHeaders } from "../../src/proxy/headers.ts";
import { startPool } from "../support/pool.ts";
import { rawExchange } from "../support/raw.ts";
import { startUpstream } from "../support/upstream.ts";

const TURN = "/backend-api/codex/responses";
const OTHER = "/backend-api/files";

/** Sent by Codex 0.107, 0.169 and 0.171 in recorded sessions, or by the openai SDKs. */
const UP = [
  "accept",
  "accept-language",
  "cache-control",
  "content-encoding",
  "content-type",
  "idempotency-key",
  "if-none-match",
  "last-event-id",
  "mcp-protocol-version",
  "mcp-session-id",
  "oai-product-sku",
  "openai-alpha",
  "openai-beta",
  "openai-organization",
  "openai-project",
  "originator",
  "session-id",
  "session_id",
  "thread-id",
  "traceparent",
  "user-agent",
  "version",
  "x-client-request-id",
  "x-codex-beta-features",
  "x-codex-cyber-access-program",
  "x-codex-parent-thread-id",
  "x-codex-root-turn-id",
  "x-codex-routing-hint",
  "x-codex-turn-metadata",
  "x-codex-turn-state",
  "x-codex-window-id",
  "x-codex-tomorrow",
  "x-oai-attestation",
  "x-openai-codex-luna-reserve",
  "x-openai-internal-codex-residency",
  "x-openai-internal-codex-responses-lite",
  "x-openai-memgen-request",
  "x-openai-product-sku",
  "x-openai-subagent",
  "x-openai-tomorrow",
  "x-responsesapi-include-timing-metrics",
  "x-stainless-arch",
  "x-stainless-retry-count",
];

/** The client's identity, credentials and route, and headers that would change the meaning of a request. */
const NOT_UP = [
  "authorization",
  "cf-connecting-ip",
  "cf-ipcountry",
  "chatgpt-account-id",
  "client-ip",
  "cookie",
  "cookie2",
  "fastly-client-ip",
  "forwarded",
  "origin",
  "priority",
  "proxy-authorization",
  "referer",
  "sec-fetch-mode",
  "sec-websocket-protocol",
  "true-client-ip",
  "via",
  "x-api-key",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-codexlb-attempts",
  "x-codexlb-hops",
  "x-codexlb-target-proxy-name",
  "x-codexlb-tomorrow",
  "x-forwarded",
  "x-forwarded-client-cert",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-prefix",
  "x-forwarded-proto",
  "x-forwarded-user",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "x-openai-account-routing-override",
  "x-openai-actor-authorization",
  "x-openai-agent-assertion",
  "openai-sentinel-proof-token",
  "x-original-url",
  "x-real-ip",
  "x-remote-user",
  "x-rewrite-url",
];

const DOWN = [
  "cache-control",
  "cf-ray",
  "content-language",
  "content-range",
  "etag",
  "last-modified",
  "mcp-session-id",
  "openai-model",
  "openai-processing-ms",
  "retry-after",
  "vary",
  "x-bengalfox-limit-name",
  "x-bengalfox-primary-used-percent",
  "x-bengalfox-secondary-reset-at",
  "x-codex-bengalfox-primary-window-minutes",
  "x-codex-tomorrow",
  "x-codex-turn-state",
  "x-codex-websocket-max-message-bytes",
  "x-error-json",
  "x-models-etag",
  "x-oai-request-id",
  "x-openai-authorization-error",
  "x-openai-tomorrow",
  "x-ratelimit-remaining-requests",
  "x-reasoning-included",
  "x-request-id",
  "x-should-retry",
];

/** Policies and cookies for the backend's own origin, credentials, and the names of accounts. */
const NOT_DOWN = [
  "access-control-allow-credentials",
  "access-control-allow-origin",
  "access-control-expose-headers",
  "alt-svc",
  "authorization",
  "chatgpt-account-id",
  "clear-site-data",
  "content-security-policy",
  "link",
  "nel",
  "openai-organization",
  "openai-project",
  "proxy-authenticate",
  "refresh",
  "report-to",
  "reporting-endpoints",
  "server",
  "server-timing",
  "set-cookie",
  "set-cookie2",
  "sourcemap",
  "strict-transport-security",
  "via",
  "www-authenticate",
  "x-codexlb-attempts",
  "x-codexlb-hops",
  "x-codexlb-tomorrow",
  "x-frame-options",
  "x-openai-account-routing-override",
  "x-openai-actor-authorization",
  "x-powered-by",
];

const all = (names: readonly string[]) => new Headers(names.map((name): [string, string] => [name, "v"]));
const namesOf = (headers: Headers) => [...headers.keys()].sort();

describe("request headers", () => {
  test("that Codex and SDKs send are forwarded, and no others", () => {
    const headers = outgoingHeaders(all([...UP, ...NOT_UP]), { turn: false });
    expect(namesOf(headers)).toEqual([...UP].sort());
  });
  test("that Connection names are not forwarded", () => {
    const incoming = new Headers({
      connection: "Session-Id , x-codex-a,, bad name",
      "session-id": "s",
      "x-codex-a": "1",
    });
    expect(namesOf(outgoingHeaders(incoming, { turn: false }))).toEqual([]);
  });
  test("of a turn do not request a compressed response", () => {
    const incoming = new Headers({ "accept-encoding": "zstd" });
    expect(namesOf(outgoingHeaders(incoming, { turn: true }))).toEqual([]);
    expect(namesOf(outgoingHeaders(incoming, { turn: false }))).toEqual(["accept-encoding"]);
  });
});

describe("response headers", () => {
  test("that Codex and SDKs read are returned, and no others", () => {
    expect(namesOf(downstreamHeaders(all([...DOWN, ...NOT_DOWN])))).toEqual([...DOWN].sort());
  });
  test("about limits are all returned, whatever the limit is called", () => {
    const limits = new Headers();
    for (const id of ["codex", "codex-bengalfox", "bengalfox", "a.b_c"])
      for (const [name, value] of [
        ["primary-used-percent", "12.5"],
        ["primary-window-minutes", "300"],
        ["primary-reset-at", "1900000000"],
        ["secondary-used-percent", "1"],
        ["limit-name", "Name"],
      ] as const)
        limits.set(`x-${id}-${name}`, value);
    limits.set("x-codex-plan-type", "pro");
    expect(quotaFromHeaders(downstreamHeaders(limits), 0)).toEqual(quotaFromHeaders(limits, 0));
    expect(namesOf(downstreamHeaders(limits))).toEqual(namesOf(limits));
  });
});

/** Latin-1 and UTF-8 in one value, each byte written as one character, as HTTP libraries do. */
const ODD = `a\u00e9\u00ff ${Buffer.from("ü€😀").toString("latin1")}`;

function head(line: string, extra: string): Uint8Array {
  return Buffer.concat([
    Buffer.from(`${line} HTTP/1.1\r\nHost: localhost\r\n${extra}${NOT_UP_LINES}`),
    Buffer.from(`x-codex-odd: ${ODD}\r\n\r\n`, "latin1"),
  ]);
}
const NOT_UP_LINES = NOT_UP.filter((name) => !["origin", "referer", "sec-fetch-mode"].includes(name))
  .map((name) => `${name}: secret\r\n`)
  .join("");

describe("over HTTP", () => {
  for (const path of [TURN, OTHER])
    test(`${path} carries the headers in the lists`, async () => {
      let seen = new Headers();
      await using upstream = startUpstream((request) => {
        seen = request.headers;
        return new Response("{}", {
          headers: [...NOT_DOWN, "x-codex-tomorrow"].map((name): [string, string] => [name, "secret"]),
        });
      });
      await using pool = await startPool({ accounts: [{ alias: "alice" }], upstream: upstream.baseUrl });
      const answer = await rawExchange(
        pool.url,
        head(`POST ${path}`, "Content-Length: 0\r\nConnection: close\r\n"),
      );
      expect(answer).toStartWith("HTTP/1.1 200");
      expect(answer.match(/^\S+(?=: secret)/gim)).toEqual(["x-codex-tomorrow"]);
      expect([...seen].filter(([, value]) => value.includes("secret"))).toEqual([]);
      expect(seen.get("x-codex-odd")).toBe(ODD);
      expect(seen.get("authorization")).toStartWith("Bearer ey");
    });
});

describe("over WebSocket", () => {
  test("the handshake carries the headers in the lists", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const headers: Record<string, string> = { "x-codex-tomorrow": "kept", "x-codex-odd": ODD };
    for (const name of NOT_UP) if (!/^(?:origin|referer|sec-)/.test(name)) headers[name] = "secret";
    const socket = new WebSocket(`${pool.url.replace("http", "ws")}${TURN}`, { headers });
    await new Promise((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    socket.terminate();
    const handshake = pool.mock.requests.find(({ point }) => point === "upgrade");
    expect(handshake?.headers["x-codex-tomorrow"]).toBe("kept");
    expect(handshake?.headers["x-codex-odd"]).toBe(ODD);
    expect(Object.values(handshake?.headers ?? {}).filter((value) => value.includes("secret"))).toEqual([]);
  });
});

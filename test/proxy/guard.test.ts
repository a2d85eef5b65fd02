import { describe, expect, test } from "bun:test";
import { startDaemon } from "../../src/daemon/daemon.ts";
import { systemDeps } from "../../src/deps.ts";
import { createGuard } from "../../src/proxy/guard.ts";
import { layoutOf } from "../../src/state/layout.ts";
import { outcome } from "../support/outcome.ts";
import { startPool } from "../support/pool.ts";
import { rawExchange } from "../support/raw.ts";
import { tempDirectory } from "../support/temp.ts";

describe("a proxy on loopback", () => {
  const guard = createGuard(
    { host: "127.0.0.1", port: 8765 },
    () => ({ allowedHosts: ["proxy.lan"], clientAuth: false }),
    { roleOf: () => undefined, expiredKeyOf: () => undefined },
    systemDeps(),
  );
  const ask = (headers: Record<string, string>) =>
    guard(new Request("http://x/", { headers }), { key: undefined, run: undefined, path: "/" })?.code;

  for (const host of [
    "127.0.0.1:8765",
    "localhost:8765",
    "LOCALHOST",
    "localhost.:8765",
    "127.0.0.2",
    "[::1]:8765",
    "[::ffff:127.0.0.1]:8765",
    "[::ffff:7f00:1]:8765",
    "proxy.lan:1",
  ])
    test(`answers to ${host}`, () => {
      expect(ask({ host })).toBeUndefined();
    });
  for (const host of [
    "evil.example",
    "127.0.0.1.evil.example:8765",
    "localhost.evil.example",
    "10.0.0.1:8765",
    "[::2]:8765",
    "0x7f.1",
  ])
    test(`does not answer to ${JSON.stringify(host)}`, () => {
      expect(ask({ host })).toBe("host_refused");
    });
  test("refuses a request without a Host header, or from a web page's script", () => {
    expect(ask({})).toBe("host_refused");
    for (const origin of ["https://evil.example", "null", "http://127.0.0.1:8765", ""])
      expect(ask({ host: "127.0.0.1:8765", origin })).toBe("origin_refused");
  });
  for (const site of ["cross-site", "same-site", "CROSS-SITE", "none, cross-site", "tomorrow", ""])
    test(`refuses an image or a link of a page that is ${JSON.stringify(site)}`, () => {
      for (const mode of ["no-cors", "navigate"])
        expect(ask({ host: "127.0.0.1:8765", "sec-fetch-site": site, "sec-fetch-mode": mode })).toBe(
          "origin_refused",
        );
    });
  for (const site of ["none", "same-origin"])
    test(`answers an address typed into the browser and its own pages (${site})`, () => {
      expect(
        ask({ host: "127.0.0.1:8765", "sec-fetch-site": site, "sec-fetch-mode": "navigate" }),
      ).toBeUndefined();
    });
  test("refuses pages of other origins if the browser sends no Sec-Fetch-Site", () => {
    for (const referer of [
      "https://evil.example/",
      "http://127.0.0.1:3000/page",
      "http://127.0.0.1:8765.evil.example/",
      "about:blank",
      "not a URL",
      "",
    ])
      expect([referer, ask({ host: "127.0.0.1:8765", referer })]).toEqual([referer, "origin_refused"]);
    expect(ask({ host: "127.0.0.1:8765", referer: "http://127.0.0.1:8765/" })).toBeUndefined();
    expect(ask({ host: "LOCALHOST:80", referer: "http://localhost/status" })).toBeUndefined();
  });
  for (const host of [
    "",
    "localhost:99999",
    "localhost:65536",
    "localhost:-1",
    "localhost:8e1",
    "localhost:1:2",
    "[localhost]",
    "[::1",
    "::1",
    "[::1%25lo]",
    "localhost, localhost",
    "user@localhost",
    "user:secret@localhost",
    "local host",
    "localhost/x",
    "localhost?x",
    "localhost#x",
    "localhost\\x",
    "%6cocalhost",
    "1.2.3.4.5",
    "xn--",
  ])
    test(`rejects ${JSON.stringify(host)} as an invalid Host header`, () => {
      expect(ask({ host })).toBe("invalid_request");
    });
});

describe("every path of the running proxy", () => {
  const PATHS = [
    "/",
    "/healthz",
    "/status",
    "/admin/accounts",
    "/oauth/token",
    "/backend-api/codex/responses",
    "/backend-api/wham/usage",
  ];
  test("refuses foreign names and web pages with an error that says why", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    for (const path of PATHS) {
      const foreign = await fetch(pool.url + path, { headers: { host: "evil.example" } });
      expect(foreign.status).toBe(421);
      expect(await foreign.json()).toMatchObject({ error: { code: "host_refused" } });
      for (const mark of [
        { origin: "https://evil.example" },
        { "sec-fetch-site": "cross-site" },
        { "sec-fetch-site": "same-site" },
        { referer: "https://evil.example/" },
      ]) {
        const page = await fetch(pool.url + path, { headers: mark as Record<string, string> });
        expect([path, mark, page.status]).toEqual([path, mark, 403]);
        expect(await page.json()).toMatchObject({ error: { code: "origin_refused" } });
        expect(page.headers.get("access-control-allow-origin")).toBeNull();
      }
    }
    expect(pool.mock.requests.filter((one) => one.point === "sse" || one.point === "upgrade")).toEqual([]);
  });

  test("returns a clear error without a host name, as an old client sends it", async () => {
    await using pool = await startPool({ accounts: [] });
    const text = await rawExchange(pool.url, "GET / HTTP/1.0\r\n\r\n");
    expect(text).toContain(" 421 ");
    expect(text).toContain('"code":"host_refused"');
  });

  test("of the admin API is closed on the port, and never forwarded", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    for (const path of ["/admin/accounts", "/admin/account/rm", "/admin/anything", "/logs"]) {
      const answer = await fetch(pool.url + path, { method: "POST" });
      expect([401, 404]).toContain(answer.status);
      expect(answer.headers.get("content-type")).toContain("application/json");
    }
    expect(pool.mock.requests.some((one) => one.path.includes("admin") || one.path.includes("logs"))).toBe(
      false,
    );
  });

  test("is open only to this machine unless the settings allow more", async () => {
    using temp = tempDirectory();
    for (const listen of ["0.0.0.0:0", ":0", "[::]:0"]) {
      const starting = startDaemon(layoutOf(`${temp.path}/r`), { listen }, systemDeps());
      expect(await outcome(starting)).toThrow("would let every machine that reaches it use your accounts");
    }
  });
});

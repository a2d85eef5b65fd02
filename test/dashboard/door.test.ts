// The door of the dashboard: each attack is refused, without an effect.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { CSRF_HEADER } from "../../src/dashboard/messages.ts";
import { LINK_LIFETIME_MS, SESSION_LIFETIME_MS } from "../../src/dashboard/sessions.ts";
import type { Clock } from "../../src/deps.ts";
import { systemDeps } from "../../src/deps.ts";
import { readTextIfPresent } from "../../src/state/atomic-file.ts";
import { startPool, type TestPool } from "../support/pool.ts";
import { cookieIn, newToken, openSession, type PageSession, postToken } from "./browser.ts";

let pool: TestPool;
let session: PageSession;
/** Added to the proxy's monotonic clock. */
let laterMs = 0;

beforeAll(async () => {
  const system = systemDeps().clock;
  const clock: Clock = { ...system, monotonic: () => system.monotonic() + laterMs };
  pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }], clock });
  session = await openSession(pool);
});
afterAll(() => pool[Symbol.asyncDispose]());

const JSON_TYPE = { "content-type": "application/json" };

interface Attack {
  readonly what: string;
  readonly method?: string;
  readonly path: string;
  /** In addition to those of a session, or in place of them. */
  readonly headers?: () => Record<string, string | undefined>;
  readonly body?: string | (() => ReadableStream<Uint8Array>) | undefined;
  readonly status: number;
  readonly code: string;
}

const DISABLE = JSON.stringify({ action: "disable", alias: "alice" });
const change = (attack: Omit<Attack, "method" | "path">): Attack => ({
  method: "POST",
  path: "/_/account",
  body: DISABLE,
  ...attack,
});
const huge = () =>
  new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024).fill(0x20)),
  });

const ATTACKS: readonly Attack[] = [
  {
    what: "a foreign Host",
    path: "/_/settings",
    headers: () => ({ host: "evil.example" }),
    status: 421,
    code: "host_refused",
  },
  change({
    what: "a foreign Origin",
    headers: () => ({ origin: "https://evil.example" }),
    status: 403,
    code: "origin_refused",
  }),
  change({
    what: "the Origin of another port",
    headers: () => ({ origin: "http://127.0.0.1:1" }),
    status: 403,
    code: "origin_refused",
  }),
  change({
    what: "the Origin of another name of this machine",
    headers: () => ({ origin: pool.url.replace("127.0.0.1", "localhost") }),
    status: 403,
    code: "origin_refused",
  }),
  change({
    what: "an opaque Origin",
    headers: () => ({ origin: "null" }),
    status: 403,
    code: "origin_refused",
  }),
  {
    what: "a page of another site that embeds a file",
    path: "/_/page.js",
    headers: () => ({ "sec-fetch-site": "cross-site" }),
    status: 403,
    code: "origin_refused",
  },
  {
    what: "a page of another port that embeds a file",
    path: "/_/page.js",
    headers: () => ({ "sec-fetch-site": "same-site" }),
    status: 403,
    code: "origin_refused",
  },
  {
    what: "a link of another page",
    path: "/_/",
    headers: () => ({ referer: "https://evil.example/" }),
    status: 403,
    code: "origin_refused",
  },
  ...["events", "settings", "explain", "usage"].map((name) => ({
    what: `${name} without a cookie`,
    path: `/_/${name}`,
    headers: () => ({ cookie: undefined }),
    status: 401,
    code: "unauthorized",
  })),
  ...["events", "settings", "explain", "usage"].map((name) => ({
    what: `${name} without the header`,
    path: `/_/${name}`,
    headers: () => ({ [CSRF_HEADER]: undefined }),
    status: 401,
    code: "unauthorized",
  })),
  change({
    what: "a change without a cookie",
    headers: () => ({ cookie: undefined }),
    status: 401,
    code: "unauthorized",
  }),
  change({
    what: "a change without the header",
    headers: () => ({ [CSRF_HEADER]: undefined }),
    status: 401,
    code: "unauthorized",
  }),
  change({
    what: "a change with another header",
    headers: () => ({ [CSRF_HEADER]: "A".repeat(43) }),
    status: 401,
    code: "unauthorized",
  }),
  change({
    what: "a made-up cookie",
    headers: () => ({ cookie: `${session.cookie.split("=")[0]}=${"A".repeat(43)}` }),
    status: 401,
    code: "unauthorized",
  }),
  change({
    what: "the admin token instead of a session",
    headers: () => ({
      cookie: undefined,
      [CSRF_HEADER]: undefined,
      authorization: `Bearer ${pool.adminToken}`,
    }),
    status: 401,
    code: "unauthorized",
  }),
  change({
    what: "a form",
    headers: () => ({ "content-type": "text/plain" }),
    status: 415,
    code: "not_json",
  }),
  change({
    what: "an unknown action",
    body: '{"action":"rm","alias":"alice"}',
    status: 400,
    code: "invalid_request",
  }),
  change({
    what: "an unknown field",
    body: '{"action":"disable","alias":"alice","x":1}',
    status: 400,
    code: "invalid_request",
  }),
  change({ what: "a huge body", body: "x".repeat(5 * 1024), status: 413, code: "body_too_large" }),
  change({ what: "an endless body", body: huge, status: 413, code: "body_too_large" }),
  {
    what: "a huge body in place of a token",
    method: "POST",
    path: "/_/session",
    body: JSON.stringify({ token: "x".repeat(5 * 1024) }),
    status: 413,
    code: "body_too_large",
  },
  { what: "a wrong method", method: "DELETE", path: "/_/account", status: 405, code: "method_refused" },
  { what: "a change of the usage", method: "POST", path: "/_/usage", status: 405, code: "method_refused" },
  { what: "a HEAD of the event stream", method: "HEAD", path: "/_/events", status: 405, code: "" },
  { what: "a GET of the session", path: "/_/session", status: 405, code: "method_refused" },
  {
    what: "a path that leaves the dashboard",
    path: "/_/../admin/accounts",
    headers: () => ({ origin: undefined }),
    status: 401,
    code: "unauthorized",
  },
  { what: "an unknown path", path: "/_/admin/accounts", status: 404, code: "not_found" },
  {
    what: "the admin API with a session",
    path: "/admin/accounts",
    headers: () => ({ origin: undefined }),
    status: 401,
    code: "unauthorized",
  },
  {
    what: "the log with a session",
    path: "/logs",
    headers: () => ({ origin: undefined }),
    status: 401,
    code: "unauthorized",
  },
  {
    what: "the admin API from the page",
    path: "/admin/accounts",
    status: 403,
    code: "origin_refused",
  },
  {
    what: "the dashboard below a run",
    path: "/@x/_/settings",
    headers: () => ({ origin: undefined }),
    status: 403,
    code: "path_refused",
  },
];

describe("the dashboard refuses", () => {
  for (const { what, method = "GET", path, headers = () => ({}), body, status, code } of ATTACKS)
    test(what, async () => {
      const merged: Record<string, string | undefined> = {
        ...JSON_TYPE,
        ...session,
        origin: pool.url,
        ...headers(),
      };
      const response = await fetch(`${pool.url}${path}`, {
        method,
        headers: Object.fromEntries(
          Object.entries(merged).filter((header): header is [string, string] => header[1] !== undefined),
        ),
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : body() }),
      });
      expect(response.status).toBe(status);
      if (method !== "HEAD") expect(JSON.stringify(await response.json())).toContain(`"code":"${code}"`);
      expect((await pool.status()).accounts.map(({ enabled }) => enabled)).toEqual([true, true]);
    });

  test("a link that was used before", async () => {
    const token = await newToken(pool);
    expect((await postToken(pool.url, token)).status).toBe(200);
    const again = await postToken(pool.url, token);
    expect([again.status, again.headers.get("set-cookie")]).toEqual([401, null]);
    expect(await again.json()).toMatchObject({
      code: "unauthorized",
      message: "opening the dashboard: the link is expired or was used before",
    });
  });

  test("an expired link and an expired session", async () => {
    const token = await newToken(pool);
    const settings = () => fetch(`${pool.url}/_/settings`, { headers: { ...session } });
    expect((await settings()).status).toBe(200);
    laterMs += LINK_LIFETIME_MS;
    expect((await postToken(pool.url, token)).status).toBe(401);
    expect((await settings()).status).toBe(200);
    laterMs += SESSION_LIFETIME_MS;
    expect((await settings()).status).toBe(401);
    session = await openSession(pool);
    expect((await settings()).status).toBe(200);
  });

  test("the cookie of an earlier start, and links of another proxy", async () => {
    await using other = await startPool({ accounts: [{ alias: "alice" }] });
    const foreign = await openSession(other);
    const [, secret] = foreign.cookie.split("=");
    const [name] = session.cookie.split("=");
    const response = await fetch(`${pool.url}/_/settings`, {
      headers: { ...foreign, cookie: `${name}=${secret}` },
    });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ next: "for a new link, run: codexlb dashboard" });
    expect((await postToken(pool.url, await newToken(other))).status).toBe(401);
  });
});

describe("the dashboard", () => {
  test("gives a cookie that only its own paths get, and no script reads", async () => {
    const response = await postToken(pool.url, await newToken(pool));
    const cookie = response.headers.get("set-cookie") ?? "";
    expect(cookieIn(response)).toMatch(/^codexlb_\d+=[\w-]{43}$/);
    for (const part of ["Path=/_/", "HttpOnly", "SameSite=Strict", "Max-Age=43200"])
      expect(cookie).toContain(part);
    expect(cookie).not.toContain("Secure");
  });

  test("marks the cookie as secure behind TLS", async () => {
    const origin = pool.url.replace("http:", "https:");
    const response = await postToken(pool.url, await newToken(pool), { origin });
    expect(response.headers.get("set-cookie")).toContain("Secure");
  });

  test("cannot be framed, loads only its own files, and caches nothing", async () => {
    for (const path of ["", "page.js", "page.css", "icon.svg", "settings", "unknown"]) {
      const { headers } = await fetch(`${pool.url}/_/${path}`, { headers: { ...session } });
      expect([path, headers.get("content-security-policy")]).toEqual([
        path,
        "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
      ]);
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
      expect(headers.get("cache-control")).toBe("no-store");
    }
  });

  test("has no inline script and no inline style", async () => {
    const html = await (await fetch(`${pool.url}/_/`)).text();
    expect(html).not.toMatch(/<script(?![^>]*src=)|<style|\sstyle=|\son\w+=/);
  });

  test("changes an account for its own page", async () => {
    const post = (body: unknown) =>
      fetch(`${pool.url}/_/account`, {
        method: "POST",
        headers: { ...JSON_TYPE, ...session, origin: pool.url },
        body: JSON.stringify(body),
      });
    const bob = async () => (await pool.status()).accounts.find(({ alias }) => alias === "bob");
    expect((await post({ action: "disable", alias: "bob" })).status).toBe(200);
    expect((await bob())?.enabled).toBe(false);
    expect((await post({ action: "enable", alias: "bob" })).status).toBe(200);
    expect((await bob())?.enabled).toBe(true);
    expect((await post({ action: "pin", alias: "bob" })).status).toBe(200);
    expect((await bob())?.pinned).toBe(true);
    expect((await post({ action: "unpin" })).status).toBe(200);
    expect((await bob())?.pinned).toBe(false);
    expect((await post({ action: "pin", alias: "carol" })).status).toBe(404);
  });

  test("writes neither links nor cookies to the log", async () => {
    const token = await newToken(pool);
    const response = await postToken(pool.url, token);
    const { csrf } = (await response.json()) as { csrf: string };
    await fetch(`${pool.url}/_/settings`, { headers: { ...session } });
    await pool.accounts.pin("alice");
    await fetch(`${pool.url}/logs`, { headers: { authorization: `Bearer ${pool.adminToken}` } });
    const log = readTextIfPresent(pool.layout.events) ?? "";
    expect(log).toContain("account.pinned");
    for (const secret of [token, csrf, cookieIn(response).split("=")[1] ?? ""])
      expect(log).not.toContain(secret);
  });

  test("is off if the settings say so, and links then fail", async () => {
    await using off = await startPool({
      accounts: [{ alias: "alice" }],
      config: "[dashboard]\nenabled = false\n",
    });
    const page = await fetch(`${off.url}/_/`);
    expect([page.status, ((await page.json()) as { code: string }).code]).toEqual([403, "dashboard_off"]);
    expect(await newToken(off).catch((error) => error.code)).toBe("dashboard_off");
  });

  test("needs no key where clients need one, and gives access to nothing else", async () => {
    await using closed = await startPool({
      accounts: [{ alias: "alice" }],
      config: "[proxy]\nclient_auth = true\n",
    });
    const headers = { ...(await openSession(closed)) };
    expect((await fetch(`${closed.url}/_/settings`, { headers })).status).toBe(200);
    for (const path of ["/status", "/admin/accounts", "/backend-api/codex/models"])
      expect([path, (await fetch(`${closed.url}${path}`, { headers })).status]).toEqual([path, 401]);
  });
});

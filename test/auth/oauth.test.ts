// Logging in without codex, against the simulated sign-in.

import { describe, expect, test } from "bun:test";
import { parseAuthFile } from "../../src/auth/auth-file.ts";
import { type BrowserLogin, beginBrowserLogin, CALLBACK_PORTS } from "../../src/auth/browser-login.ts";
import { beginDeviceLogin } from "../../src/auth/device-login.ts";
import { systemDeps } from "../../src/deps.ts";
import { startMock } from "../../src/mock/backend.ts";
import { MOCK_PASSWORD } from "../../src/mock/sign-in.ts";
import { outcome } from "../support/outcome.ts";

function setup() {
  const system = systemDeps();
  const mock = startMock({ accounts: [{ alias: "alice" }, { alias: "bob" }], clock: system.clock });
  const deps = { ...system, env: { CODEXLB_ISSUER: mock.origin, CODEXLB_TOKEN_URL: mock.tokenUrl } };
  return { mock, deps, [Symbol.asyncDispose]: () => mock.stop() };
}

/** Any free port: other programs on this machine may use the real ones. */
const ANY_PORT = [0];

/** The port to which the sign-in redirects. */
function portOf({ url }: Pick<BrowserLogin, "url">): number {
  return Number(new URL(new URL(url).searchParams.get("redirect_uri") ?? "").port);
}

/**
 * Sends the requests of a user's browser. Resolves to the address of the final redirect. Like OpenAI's, the simulated
 * sign-in redirects only to the real ports. So it gets one of them here, and its redirect the port of the login.
 */
async function signInBy(
  origin: string,
  loginUrl: string,
  email: string,
  password = MOCK_PASSWORD,
): Promise<string> {
  const port = portOf({ url: loginUrl });
  const query = new URL(loginUrl).search.replace(`%3A${port}%2F`, "%3A1455%2F");
  const send = (path: string, more: Record<string, string> = {}) =>
    fetch(origin + path, {
      method: "POST",
      body: new URLSearchParams({ query, email, ...more }).toString(),
      redirect: "manual",
    });
  await send("/sign-in/email");
  await send("/sign-in/password", { password });
  const location = (await send("/sign-in/consent")).headers.get("location") ?? "";
  return location.replace(":1455/", `:${port}/`);
}

describe("a login in a browser", () => {
  test("results in a working auth.json, with the requests that codex sends", async () => {
    await using s = setup();
    const login = beginBrowserLogin(s.deps, ANY_PORT);
    const asked = new URL(login.url);
    expect(Object.fromEntries(asked.searchParams)).toMatchObject({
      response_type: "code",
      client_id: "app_EMoamEEZ73f0CkXaXp7hrann",
      code_challenge_method: "S256",
      id_token_add_organizations: "true",
      codex_cli_simplified_flow: "true",
      originator: "codex_cli_rs",
    });
    expect(asked.searchParams.get("redirect_uri")).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/auth\/callback$/);
    const back = await fetch(await signInBy(s.mock.origin, login.url, "bob@example.com"));
    expect(back.status).toBe(200);
    expect(await back.text()).toContain("You are logged in");
    const credentials = parseAuthFile(await login.auth, "auth.json");
    expect(credentials).toMatchObject({ accountId: "mock-bob", email: "bob@example.com" });
    expect(s.mock.accounts.isLive(credentials.refreshToken ?? "")).toBe(true);
    login.close();
  });

  test("uses the second port if the first is taken, and fails if both are", async () => {
    await using s = setup();
    const one = beginBrowserLogin(s.deps, ANY_PORT);
    const first = portOf(one);
    const two = beginBrowserLogin(s.deps, [first, 0]);
    const second = portOf(two);
    expect(second).not.toBe(first);
    expect(() => beginBrowserLogin(s.deps, [first, second])).toThrow(
      `another program uses the ports ${first} and ${second}`,
    );
    one.close();
    two.close();
  });

  test("waits on the two ports that are registered for Codex's client", () => {
    expect(CALLBACK_PORTS).toEqual([1455, 1457]);
  });

  test("ends when the sign-in refuses it, but not by a redirect from another login", async () => {
    await using s = setup();
    const login = beginBrowserLogin(s.deps, ANY_PORT);
    const callback = new URL(login.url).searchParams.get("redirect_uri") ?? "";
    expect((await fetch(`${callback}?code=x&state=other`)).status).toBe(400);
    const state = new URL(login.url).searchParams.get("state") ?? "";
    const refused = await fetch(`${callback}?error=access_denied&error_description=<b>no</b>&state=${state}`);
    expect(await refused.text()).toContain("&lt;b&gt;no&lt;/b&gt;");
    expect(await outcome(login.auth)).toThrow("the sign-in was refused");
    login.close();
  });

  test("rejects a code that was requested with another verifier", async () => {
    await using s = setup();
    const first = beginBrowserLogin(s.deps, ANY_PORT);
    const second = beginBrowserLogin(s.deps, ANY_PORT);
    const answer = new URL(await signInBy(s.mock.origin, first.url, "alice@example.com"));
    const stolen = new URL(new URL(second.url).searchParams.get("redirect_uri") ?? "");
    stolen.searchParams.set("code", answer.searchParams.get("code") ?? "");
    stolen.searchParams.set("state", new URL(second.url).searchParams.get("state") ?? "");
    expect((await fetch(stolen)).status).toBe(502);
    expect(await outcome(second.auth)).toThrow("the token endpoint returned 400");
    first.close();
    second.close();
  });
});

describe("a login by a code", () => {
  test("results in a working auth.json", async () => {
    await using s = setup();
    const login = await beginDeviceLogin(s.deps, new AbortController().signal);
    expect(login).toMatchObject({ url: `${s.mock.origin}/codex/device`, code: "MOCK-CODE" });
    expect(parseAuthFile(await login.auth, "auth.json")).toMatchObject({ accountId: "mock-alice" });
  });

  test("reports an unreachable sign-in", async () => {
    const deps = { ...systemDeps(), env: { CODEXLB_ISSUER: "http://127.0.0.1:1" } };
    expect(await outcome(beginDeviceLogin(deps, new AbortController().signal))).toThrow(
      "connecting to http://127.0.0.1:1 failed",
    );
  });
});

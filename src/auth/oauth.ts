// Logs in at OpenAI's sign-in without codex, by the same OAuth as `codex login` (authorization code with PKCE, RFC
// 7636, with a redirect to loopback) and `codex login --device-auth`. Both result in the text of an auth.json.

import { createHash } from "node:crypto";
import { z } from "zod";
import { advised } from "../advice.ts";
import { type Answer, boundedFetch } from "../bounded-fetch.ts";
import { parseJson } from "../core/json.ts";
import { withoutTrailingSlash } from "../core/urls.ts";
import type { Clock, Deps } from "../deps.ts";
import { CodexlbError, messageOf } from "../errors.ts";
import { egressProblem } from "../network/connect-problem.ts";
import { createOutbound, fetchOptions } from "../network/egress.ts";
import { shortLine } from "../printable.ts";
import { newAuthFile } from "./auth-file.ts";
import { CLIENT_ID, TOKEN_ANSWER_BYTES, tokenUrlOf } from "./refresh.ts";

export interface OAuthDeps extends Pick<Deps, "env" | "random"> {
  readonly clock: Clock;
}

/** A login that waits for a browser. */
export interface BrowserLogin {
  /** The address for the browser. */
  readonly url: string;
  /** Resolves to the text of an auth.json. Throws `login_failed`. */
  readonly auth: Promise<string>;
  /** Stops waiting for the browser. */
  close(): void;
}

/** A login that waits until the user enters a code. */
export interface DeviceLogin {
  readonly url: string;
  readonly code: string;
  /** Resolves to the text of an auth.json. Throws `login_failed`. */
  readonly auth: Promise<string>;
}

/** The ports to which the sign-in redirects; it refuses others. The second is used if the first is taken. */
const CALLBACK_PORTS = [1455, 1457] as const;
const CALLBACK_PATH = "/auth/callback";
const SCOPE = "openid profile email offline_access api.connectors.read api.connectors.invoke";
const DEFAULT_ISSUER = "https://auth.openai.com";
/** Longest wait for a response of the sign-in. */
const TIMEOUT_MS = 30_000;
/** How long a device code is valid. */
const DEVICE_MS = 15 * 60_000;
/** Longest code to show. */
const LONGEST_CODE = 100;
/** Longest reason that is shown for a refused sign-in. */
const LONGEST_REASON = 300;
const LONGEST_INTERVAL_MS = 30_000;

/** The sign-in: `CODEXLB_ISSUER`, else OpenAI's. Throws `usage`. */
export function issuerOf({ env }: Pick<Deps, "env">): string {
  const issuer = env.CODEXLB_ISSUER?.trim() || DEFAULT_ISSUER;
  if (!/^https?:\/\//.test(issuer) || !URL.canParse(issuer))
    throw new CodexlbError("usage", `CODEXLB_ISSUER: ${JSON.stringify(issuer)} is not an http(s) URL`, {
      next: "set it to an http(s) URL, or unset it",
    });
  return withoutTrailingSlash(issuer);
}

/** True if the environment names a sign-in, which codex itself would ignore. */
export function namesIssuer({ env }: Pick<Deps, "env">): boolean {
  return Boolean(env.CODEXLB_ISSUER?.trim());
}

/** Begins a login in a browser. Throws `listen_failed` if both ports for the redirect are taken. */
export function beginBrowserLogin(deps: OAuthDeps): BrowserLogin {
  const verifier = randomText(deps, 64);
  const state = randomText(deps, 32);
  const answer = Promise.withResolvers<string>();
  // The caller may no longer wait for it.
  answer.promise.catch(() => {});
  const server = listen(async (url) => {
    const problem = problemOf(url, state);
    if (problem !== undefined) {
      // A redirect with another state does not belong to this login, and must not end it.
      if (url.searchParams.get("state") === state) answer.reject(failed(problem));
      return page(400, "The login failed", problem);
    }
    try {
      const code = url.searchParams.get("code") ?? "";
      answer.resolve(await exchange(deps, { code, redirectUri: redirectUri(server.port), verifier }));
      return page(200, "You are logged in", "You can close this window.");
    } catch (error) {
      answer.reject(error);
      return page(502, "The login failed", messageOf(error));
    }
  });
  const query = new URLSearchParams({
    response_type: "code",
    client_id: CLIENT_ID,
    redirect_uri: redirectUri(server.port),
    scope: SCOPE,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    id_token_add_organizations: "true",
    codex_cli_simplified_flow: "true",
    state,
    originator: "codex_cli_rs",
  });
  return {
    url: `${issuerOf(deps)}/oauth/authorize?${query}`,
    auth: answer.promise,
    close: () => {
      answer.reject(failed("interrupted"));
      void server.stop();
    },
  };
}

/** Begins a login with a code to enter in any browser. Throws `login_failed`. */
export async function beginDeviceLogin(deps: OAuthDeps, signal: AbortSignal): Promise<DeviceLogin> {
  const issuer = issuerOf(deps);
  const begun = UserCode.safeParse(
    await postJson(deps, `${issuer}/api/accounts/deviceauth/usercode`, { client_id: CLIENT_ID }, signal),
  );
  if (!begun.success) throw failed("the sign-in returned no code");
  const { device_auth_id, user_code, interval } = begun.data;
  const auth = pollDevice(deps, { issuer, device_auth_id, user_code, interval }, signal);
  auth.catch(() => {});
  return { url: `${issuer}/codex/device`, code: shortLine(user_code, LONGEST_CODE), auth };
}

/** The next step after a login that could not connect. */
export function checkNetwork(): string {
  return `check the network with: ${advised("doctor")}`;
}

// --- internal ---

const seconds = z
  .union([z.number(), z.string().transform(Number)])
  .pipe(z.number().positive())
  .catch(5);
const UserCode = z.looseObject({ device_auth_id: z.string(), user_code: z.string(), interval: seconds });
const DeviceGrant = z.looseObject({ authorization_code: z.string(), code_verifier: z.string() });
const Tokens = z.looseObject({
  access_token: z.string().min(1),
  refresh_token: z.string().min(1),
  id_token: z.string().min(1),
});

async function pollDevice(
  deps: OAuthDeps,
  asked: {
    readonly issuer: string;
    readonly device_auth_id: string;
    readonly user_code: string;
    readonly interval: number;
  },
  signal: AbortSignal,
): Promise<string> {
  const { issuer, device_auth_id, user_code, interval } = asked;
  const deadlineMs = deps.clock.monotonic() + DEVICE_MS;
  const url = `${issuer}/api/accounts/deviceauth/token`;
  while (deps.clock.monotonic() < deadlineMs) {
    signal.throwIfAborted();
    const response = await post(deps, url, JSON.stringify({ device_auth_id, user_code }), JSON_TYPE, signal);
    if (response.ok) {
      const grant = DeviceGrant.safeParse(parseJson(response.text));
      if (!grant.success) throw failed("the sign-in returned an invalid response");
      const { authorization_code: code, code_verifier: verifier } = grant.data;
      return exchange(deps, { code, verifier, redirectUri: `${issuer}/deviceauth/callback` });
    }
    // 403 or 404 until the user has entered the code.
    if (response.status !== 403 && response.status !== 404)
      throw failed(`the sign-in returned ${response.status}`);
    await waited(deps.clock, Math.min(LONGEST_INTERVAL_MS, interval * 1000), signal);
  }
  throw failed("the code was not entered in time");
}

async function exchange(
  deps: OAuthDeps,
  grant: { readonly code: string; readonly verifier: string; readonly redirectUri: string },
): Promise<string> {
  const form = new URLSearchParams({
    grant_type: "authorization_code",
    client_id: CLIENT_ID,
    code: grant.code,
    redirect_uri: grant.redirectUri,
    code_verifier: grant.verifier,
  });
  const response = await post(
    deps,
    tokenUrlOf(deps),
    form.toString(),
    "application/x-www-form-urlencoded",
    undefined,
  );
  if (!response.ok) throw failed(`the token endpoint returned ${response.status}`);
  const tokens = Tokens.safeParse(parseJson(response.text));
  if (!tokens.success) throw failed("the token endpoint returned no tokens");
  const { access_token, refresh_token, id_token } = tokens.data;
  return newAuthFile(
    { accessToken: access_token, refreshToken: refresh_token, idToken: id_token },
    deps.clock.now(),
  );
}

const JSON_TYPE = "application/json";

async function postJson(deps: OAuthDeps, url: string, body: unknown, signal: AbortSignal): Promise<unknown> {
  const response = await post(deps, url, JSON.stringify(body), JSON_TYPE, signal);
  if (!response.ok) throw failed(`the sign-in returned ${response.status}`);
  return parseJson(response.text);
}

async function post(
  { env }: OAuthDeps,
  url: string,
  body: string,
  type: string,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  const egress = createOutbound({ env }).toBackend(url);
  try {
    return await boundedFetch(
      url,
      {
        ...fetchOptions(egress),
        method: "POST",
        headers: { "content-type": type },
        body,
        ...(signal === undefined ? {} : { signal }),
      },
      { limitBytes: TOKEN_ANSWER_BYTES, timeoutMs: TIMEOUT_MS },
    );
  } catch (error) {
    const why = egressProblem(error, url, egress);
    throw failed(`connecting to ${new URL(url).origin} failed: ${why}`, checkNetwork());
  }
}

function waited(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve);
    signal.addEventListener(
      "abort",
      () => {
        cancel();
        resolve();
      },
      { once: true },
    );
  });
}

function listen(answer: (url: URL) => Promise<Response>): { readonly port: number; stop(): Promise<void> } {
  for (const port of CALLBACK_PORTS) {
    try {
      const server = Bun.serve({
        hostname: "127.0.0.1",
        port,
        development: false,
        reusePort: false,
        fetch: async (request) => {
          const url = new URL(request.url);
          if (request.method !== "GET" || url.pathname !== CALLBACK_PATH)
            return new Response("not found\n", { status: 404 });
          return answer(url);
        },
      });
      return { port, stop: () => server.stop(false) };
    } catch {
      // taken; try the next one
    }
  }
  throw new CodexlbError(
    "listen_failed",
    `waiting for the browser: another program uses the ports ${CALLBACK_PORTS.join(" and ")}`,
    { next: "finish the other login, and try again" },
  );
}

function redirectUri(port: number): string {
  return `http://127.0.0.1:${port}${CALLBACK_PATH}`;
}

/** The problem with the sign-in's redirect, if there is one. */
function problemOf({ searchParams }: URL, state: string): string | undefined {
  if (searchParams.get("state") !== state) return "the browser returned from another login";
  const error = searchParams.get("error_description") ?? searchParams.get("error");
  if (error !== null) return `the sign-in was refused: ${shortLine(error, LONGEST_REASON)}`;
  return searchParams.get("code") ? undefined : "the sign-in returned no code";
}

function page(status: number, title: string, text: string): Response {
  const escaped = Bun.escapeHTML(text);
  return new Response(`<!doctype html><title>${title}</title><h1>${title}</h1><p>${escaped}</p>\n`, {
    status,
    headers: { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" },
  });
}

function randomText({ random }: Pick<Deps, "random">, bytes: number): string {
  return Buffer.from(random(bytes)).toString("base64url");
}

function failed(why: string, next = "try again"): CodexlbError {
  return new CodexlbError("login_failed", `logging in: ${why}`, { next });
}

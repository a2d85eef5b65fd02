// Logs in at OpenAI's sign-in in a browser, without codex, as `codex login` does (authorization code with PKCE, RFC 7636,
// with a redirect to loopback).

import { createHash } from "node:crypto";
import type { Deps } from "../deps.ts";
import { CodexlbError, messageOf } from "../errors.ts";
import { shortLine } from "../printable.ts";
import { exchangeCode, issuerOf, loginFailed, type OAuthDeps } from "./oauth.ts";
import { CLIENT_ID } from "./refresh.ts";

/** A login that waits for a browser. */
export interface BrowserLogin {
  /** The address for the browser. */
  readonly url: string;
  /** Resolves to the text of an auth.json. Throws `login_failed`. */
  readonly auth: Promise<string>;
  /** Stops waiting for the browser. */
  close(): void;
}

/** The only ports to which the sign-in redirects. The second is used if the first is taken. */
export const CALLBACK_PORTS: readonly number[] = [1455, 1457];

/**
 * Begins a login in a browser. Waits for the redirect on the first free one of `ports`; 0 stands for any free port.
 * Throws `listen_failed` if all of them are taken.
 */
export function beginBrowserLogin(deps: OAuthDeps, ports = CALLBACK_PORTS): BrowserLogin {
  const verifier = randomText(deps, 64);
  const state = randomText(deps, 32);
  const answer = Promise.withResolvers<string>();
  // The caller may no longer wait for it.
  answer.promise.catch(() => {});
  const server = listen(ports, async (url) => {
    const problem = problemOf(url, state);
    if (problem !== undefined) {
      // A redirect with another state does not belong to this login, and must not end it.
      if (url.searchParams.get("state") === state) answer.reject(loginFailed(problem));
      return page(400, "The login failed", problem);
    }
    try {
      const code = url.searchParams.get("code") ?? "";
      answer.resolve(await exchangeCode(deps, { code, redirectUri: redirectUri(server.port), verifier }));
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
      answer.reject(loginFailed("interrupted"));
      void server.stop();
    },
  };
}

// --- internal ---

const CALLBACK_PATH = "/auth/callback";
const SCOPE = "openid profile email offline_access api.connectors.read api.connectors.invoke";
/** Longest reason that is shown for a refused sign-in. */
const LONGEST_REASON = 300;

function listen(
  ports: readonly number[],
  answer: (url: URL) => Promise<Response>,
): { readonly port: number; stop(): Promise<void> } {
  for (const port of ports) {
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
      return { port: server.port ?? port, stop: () => server.stop(false) };
    } catch {
      // taken; try the next one
    }
  }
  throw new CodexlbError(
    "listen_failed",
    `waiting for the browser: another program uses the ports ${ports.join(" and ")}`,
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

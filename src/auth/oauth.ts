// What the two ways of logging in at OpenAI's sign-in have in common (browser-login.ts, device-login.ts): its address,
// its requests, and the exchange of a code for the text of an auth.json.

import { z } from "zod";
import { advised } from "../advice.ts";
import { type Answer, boundedFetch } from "../bounded-fetch.ts";
import { parseJson } from "../core/json.ts";
import { withoutTrailingSlash } from "../core/urls.ts";
import type { Clock, Deps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import { egressProblem } from "../network/connect-problem.ts";
import { createOutbound, fetchOptions } from "../network/egress.ts";
import { newAuthFile } from "./auth-file.ts";
import { CLIENT_ID, TOKEN_ANSWER_BYTES, tokenUrlOf } from "./refresh.ts";

export interface OAuthDeps extends Pick<Deps, "env" | "random"> {
  readonly clock: Clock;
}

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

/** An authorization code, and what proves that it belongs to this login (PKCE, RFC 7636). */
export interface OAuthGrant {
  readonly code: string;
  readonly verifier: string;
  readonly redirectUri: string;
}

/** Exchanges a code for tokens. Resolves to the text of an auth.json. Throws `login_failed`. */
export async function exchangeCode(deps: OAuthDeps, grant: OAuthGrant): Promise<string> {
  const form = new URLSearchParams({
    grant_type: "authorization_code",
    client_id: CLIENT_ID,
    code: grant.code,
    redirect_uri: grant.redirectUri,
    code_verifier: grant.verifier,
  });
  const response = await postToSignIn(
    deps,
    tokenUrlOf(deps),
    form.toString(),
    "application/x-www-form-urlencoded",
    undefined,
  );
  if (!response.ok) throw loginFailed(`the token endpoint returned ${response.status}`);
  const tokens = Tokens.safeParse(parseJson(response.text));
  if (!tokens.success) throw loginFailed("the token endpoint returned no tokens");
  const { access_token, refresh_token, id_token } = tokens.data;
  return newAuthFile(
    { accessToken: access_token, refreshToken: refresh_token, idToken: id_token },
    deps.clock.now(),
  );
}

/** Sends `body` to the sign-in. Throws `login_failed` if there is no response. */
export async function postToSignIn(
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
    throw loginFailed(`connecting to ${new URL(url).origin} failed: ${why}`, checkNetwork());
  }
}

/** The error for a login that failed because of `why`. */
export function loginFailed(why: string, next = "try again"): CodexlbError {
  return new CodexlbError("login_failed", `logging in: ${why}`, { next });
}

/** The next step after a login that could not connect. */
export function checkNetwork(): string {
  return `check the network with: ${advised("doctor")}`;
}

// --- internal ---

const DEFAULT_ISSUER = "https://auth.openai.com";
/** Longest wait for a response of the sign-in. */
const TIMEOUT_MS = 30_000;

const Tokens = z.looseObject({
  access_token: z.string().min(1),
  refresh_token: z.string().min(1),
  id_token: z.string().min(1),
});

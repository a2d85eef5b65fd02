// Logs in at OpenAI's sign-in with a code that the user enters in any browser, without codex, as `codex login
// --device-auth` does.

import { z } from "zod";
import { parseJson } from "../core/json.ts";
import type { Clock } from "../deps.ts";
import { shortLine } from "../printable.ts";
import { exchangeCode, issuerOf, loginFailed, type OAuthDeps, postToSignIn } from "./oauth.ts";
import { CLIENT_ID } from "./refresh.ts";

/** A login that waits until the user enters a code. */
export interface DeviceLogin {
  readonly url: string;
  readonly code: string;
  /** Resolves to the text of an auth.json. Throws `login_failed`. */
  readonly auth: Promise<string>;
}

/** Begins a login with a code to enter in any browser. Throws `login_failed`. */
export async function beginDeviceLogin(deps: OAuthDeps, signal: AbortSignal): Promise<DeviceLogin> {
  const issuer = issuerOf(deps);
  const begun = UserCode.safeParse(
    await postJson(deps, `${issuer}/api/accounts/deviceauth/usercode`, { client_id: CLIENT_ID }, signal),
  );
  if (!begun.success) throw loginFailed("the sign-in returned no code");
  const { device_auth_id, user_code, interval } = begun.data;
  const auth = pollDevice(deps, { issuer, device_auth_id, user_code, interval }, signal);
  auth.catch(() => {});
  return { url: `${issuer}/codex/device`, code: shortLine(user_code, LONGEST_CODE), auth };
}

// --- internal ---

/** How long a device code is valid. */
const DEVICE_MS = 15 * 60_000;
/** Longest code to show. */
const LONGEST_CODE = 100;
const LONGEST_INTERVAL_MS = 30_000;
const JSON_TYPE = "application/json";

const seconds = z
  .union([z.number(), z.string().transform(Number)])
  .pipe(z.number().positive())
  .catch(5);
const UserCode = z.looseObject({ device_auth_id: z.string(), user_code: z.string(), interval: seconds });
const DeviceGrant = z.looseObject({ authorization_code: z.string(), code_verifier: z.string() });

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
    const response = await postToSignIn(
      deps,
      url,
      JSON.stringify({ device_auth_id, user_code }),
      JSON_TYPE,
      signal,
    );
    if (response.ok) {
      const grant = DeviceGrant.safeParse(parseJson(response.text));
      if (!grant.success) throw loginFailed("the sign-in returned an invalid response");
      const { authorization_code: code, code_verifier: verifier } = grant.data;
      return exchangeCode(deps, { code, verifier, redirectUri: `${issuer}/deviceauth/callback` });
    }
    // 403 or 404 until the user has entered the code.
    if (response.status !== 403 && response.status !== 404)
      throw loginFailed(`the sign-in returned ${response.status}`);
    await waited(deps.clock, Math.min(LONGEST_INTERVAL_MS, interval * 1000), signal);
  }
  throw loginFailed("the code was not entered in time");
}

async function postJson(deps: OAuthDeps, url: string, body: unknown, signal: AbortSignal): Promise<unknown> {
  const response = await postToSignIn(deps, url, JSON.stringify(body), JSON_TYPE, signal);
  if (!response.ok) throw loginFailed(`the sign-in returned ${response.status}`);
  return parseJson(response.text);
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

// Stubs: the credentials that codexlb gives to Codex instead of a real login. A stub is a signed token that only this
// proxy accepts, so a Codex home never contains anything of value. It has the format of the Go program's, but is signed
// (HS256), and has an expiry time and the grant that it was issued for. It ends with that grant.

import { createHmac } from "node:crypto";
import { z } from "zod";
import { parseJson } from "../core/json.ts";
import { AUTH_CLAIM, PROFILE_CLAIM, readClaims } from "./claims.ts";
import { equalSecrets } from "./secrets.ts";

export const STUB_ACCOUNT_ID = "proxy-only";
export const STUB_EMAIL = "proxy-only@codexlb.internal";
export const STUB_SUBJECT = "codexlb-proxy-only";

/**
 * What a stub is issued for. `ROOT_GRANT`: runs of the root itself, by a user who can open its files or its socket.
 * Otherwise the id of the secret that was used to request the stub: a key or the admin token.
 */
export type Grant = string;
export const ROOT_GRANT: Grant = "root";

/** auth.json with a stub: what `run` writes into the runtime home. */
export type StubAuth = z.output<typeof StubAuth>;
export const StubAuth = z.object({
  OPENAI_API_KEY: z.null(),
  auth_mode: z.literal("chatgpt"),
  last_refresh: z.string(),
  tokens: z.object({
    access_token: z.string().min(1),
    id_token: z.string().min(1),
    refresh_token: z.string().min(1),
    account_id: z.string().min(1),
  }),
});

/**
 * A stub that shows `planType` to Codex, signed with `key`. Stubs of the same day (UTC) are identical, so that a run
 * does not replace credentials that another run is reading.
 */
export function makeStub(planType: string, key: string, nowMs: number, grant: Grant = ROOT_GRANT): StubAuth {
  const issued = dayOf(nowMs);
  const token = signed(
    {
      email: STUB_EMAIL,
      sub: STUB_SUBJECT,
      iat: issued * DAY_S,
      exp: (issued + STUB_DAYS) * DAY_S,
      [GRANT_CLAIM]: grant,
      [AUTH_CLAIM]: { chatgpt_account_id: STUB_ACCOUNT_ID, chatgpt_plan_type: planType },
      [PROFILE_CLAIM]: { email: STUB_EMAIL },
    },
    key,
  );
  return {
    OPENAI_API_KEY: null,
    auth_mode: "chatgpt",
    last_refresh: `${new Date(nowMs).toISOString().slice(0, 19)}Z`,
    tokens: {
      access_token: token,
      id_token: token,
      refresh_token: sealed(REFRESH_MARKER, ".", grant, issued, key),
      account_id: STUB_ACCOUNT_ID,
    },
  };
}

/** The owner of a login, as Codex saves it with each thread. Lists of threads show only those of the same owner. */
export interface ThreadOwner {
  readonly accountId: string;
  /** Undefined if the login names no user. */
  readonly userId: string | undefined;
}

/**
 * `stub` with the ids of `owner`, so that Codex lists the threads of that login. The ids grant nothing: they are in
 * `account_id` and in an unsigned id token, which Codex does not send. The tokens for the proxy stay the same.
 */
export function withThreadOwner(stub: StubAuth, owner: ThreadOwner): StubAuth {
  const claims = readClaims(stub.tokens.access_token);
  const payload = {
    email: STUB_EMAIL,
    sub: STUB_SUBJECT,
    [AUTH_CLAIM]: {
      chatgpt_account_id: owner.accountId,
      ...(owner.userId === undefined ? {} : { chatgpt_user_id: owner.userId }),
      chatgpt_plan_type: claims?.planType,
    },
    [PROFILE_CLAIM]: { email: STUB_EMAIL },
  };
  const idToken = [encode({ alg: "none", typ: "JWT" }), encode(payload), UNSIGNED].join(".");
  return { ...stub, tokens: { ...stub.tokens, id_token: idToken, account_id: owner.accountId } };
}

/** The owner that a stub's id token names; undefined if it names none, or is not that of a stub. */
export function ownerOfStub(idToken: string): ThreadOwner | undefined {
  const claims = readClaims(idToken);
  if (claims?.sub !== STUB_SUBJECT || claims.chatgptAccountId === undefined) return undefined;
  if (claims.chatgptAccountId === STUB_ACCOUNT_ID) return undefined;
  return { accountId: claims.chatgptAccountId, userId: claims.chatgptUserId };
}

/** The grant of a stub's access token; undefined if `key` did not sign it or it has expired. */
export function grantOfStub(token: string, key: string, nowMs: number): Grant | undefined {
  const [head, payload, signature, ...more] = token.split(".");
  if (head !== HEAD || payload === undefined || signature === undefined || more.length > 0) return undefined;
  if (!equalSecrets(signature, signatureOf(`${head}.${payload}`, key))) return undefined;
  const claims = StubClaims.safeParse(parseJson(Buffer.from(payload, "base64url").toString()));
  return claims.success && nowMs < claims.data.exp * 1000 ? claims.data[GRANT_CLAIM] : undefined;
}

/** True for the access token of a stub of any root, the Go program's included. */
export function looksLikeStub(token: string): boolean {
  return readClaims(token)?.sub === STUB_SUBJECT;
}

/** The grant of a stub's refresh token; undefined as for `grantOfStub`. */
export function grantOfRefreshToken(token: string, key: string, nowMs: number): Grant | undefined {
  return unsealed(token, REFRESH_MARKER, ".", REFRESH_DAYS, key, nowMs);
}

/**
 * The key in a URL (`/~KEY/...`) for requests that Codex sends without credentials (its connectors). It gives the same
 * rights as a stub, and is issued with one. Codex cannot renew it, so it is valid for longer; those of the same 30 days
 * are identical.
 */
export function pathKeyOf(key: string, nowMs: number, grant: Grant = ROOT_GRANT): string {
  const month = dayOf(nowMs) - (dayOf(nowMs) % PATH_KEY_STEP_DAYS);
  return sealed(PATH_MARKER, "-", grant, month, key);
}

/** The grant of a path key; undefined as for `grantOfStub`. */
export function grantOfPathKey(pathKey: string, key: string, nowMs: number): Grant | undefined {
  return unsealed(pathKey, PATH_MARKER, "-", PATH_KEY_DAYS, key, nowMs);
}

/** True for what looks like the refresh token of a stub of any root, the Go program's included. */
export function looksLikeStubRefreshToken(token: string): boolean {
  return token === REFRESH_MARKER || token.startsWith(`${REFRESH_MARKER}.`);
}

// --- internal ---

const DAY_S = 86_400;
/** Codex renews a stub by itself some minutes before it expires. */
const STUB_DAYS = 7;
/** For a Codex that was left open, which uses it to get a new stub. `codexlb run` writes a new stub anyway. */
const REFRESH_DAYS = 30;
/** A path key is valid for 30 to 60 days, because all keys of the same 30 days are identical. */
const PATH_KEY_DAYS = 60;
const PATH_KEY_STEP_DAYS = 30;
const REFRESH_MARKER = "codexlb-runtime-refresh";
const PATH_MARKER = "path";
const GRANT_CLAIM = "codexlb_grant";

const StubClaims = z.looseObject({
  sub: z.literal(STUB_SUBJECT),
  exp: z.number(),
  [GRANT_CLAIM]: z.string().min(1),
});

/** Codex requires three parts, of which none is empty. */
const UNSIGNED = "unsigned";

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const HEAD = encode({ alg: "HS256", typ: "JWT" });

function dayOf(ms: number): number {
  return Math.floor(ms / 1000 / DAY_S);
}

function signed(claims: unknown, key: string): string {
  const body = `${HEAD}.${encode(claims)}`;
  return `${body}.${signatureOf(body, key)}`;
}

function signatureOf(body: string, key: string): string {
  return createHmac("sha256", key).update(body).digest("base64url");
}

/** `MARKER.GRANT.DAY.SIGNATURE`. */
function sealed(marker: string, dot: string, grant: Grant, day: number, key: string): string {
  const body = [marker, grant, day].join(dot);
  return `${body}${dot}${signatureOf(body, key)}`;
}

function unsealed(
  text: string,
  marker: string,
  dot: string,
  days: number,
  key: string,
  nowMs: number,
): Grant | undefined {
  const body = text.slice(0, -SIGNATURE_CHARS - 1);
  if (!equalSecrets(text, `${body}${dot}${signatureOf(body, key)}`)) return undefined;
  const [, grant, day] = new RegExp(`^${marker}\\${dot}([0-9a-z]+)\\${dot}(\\d+)$`).exec(body) ?? [];
  return grant !== undefined && dayOf(nowMs) < Number(day) + days ? grant : undefined;
}

const SIGNATURE_CHARS = 43;

// The credentials that Codex gets from us instead of real ones: a signed token that only this proxy knows, so a
// Codex home never holds anything of value. Same shape as the Go program's, but signed (HS256), and with a refresh
// token that nobody can guess.

import { createHmac } from "node:crypto";
import { z } from "zod";
import { AUTH_CLAIM, PROFILE_CLAIM, readClaims } from "./claims.ts";
import { equalSecrets } from "./secrets.ts";

export const STUB_ACCOUNT_ID = "proxy-only";
export const STUB_EMAIL = "proxy-only@codexlb.internal";
export const STUB_SUBJECT = "codexlb-proxy-only";

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

/** A stub for the plan that Codex shall believe to be on, signed with `key`. */
export function makeStub(planType: string, key: string, nowMs: number): StubAuth {
  const token = signed(
    {
      email: STUB_EMAIL,
      sub: STUB_SUBJECT,
      exp: STUB_EXPIRES_S,
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
      refresh_token: refreshTokenOf(key),
      account_id: STUB_ACCOUNT_ID,
    },
  };
}

/** True for an access token of a stub that was signed with `key`. */
export function isStub(token: string, key: string): boolean {
  const [head, payload, signature, ...more] = token.split(".");
  if (head !== HEAD || payload === undefined || signature === undefined || more.length > 0) return false;
  return (
    equalSecrets(signature, signatureOf(`${head}.${payload}`, key)) && readClaims(token)?.sub === STUB_SUBJECT
  );
}

/** True for an access token of a stub, whoever has signed it; the Go program's, too. */
export function looksLikeStub(token: string): boolean {
  return readClaims(token)?.sub === STUB_SUBJECT;
}

/** True for the refresh token of stubs that were signed with `key`. */
export function isStubRefreshToken(token: string, key: string): boolean {
  return equalSecrets(token, refreshTokenOf(key));
}

/**
 * What stands in a URL where Codex sends no credentials (its connectors): `/~KEY/...`. It opens what a stub opens, and
 * is given with one.
 */
export function pathKeyOf(key: string): string {
  return signatureOf("path", key);
}

/** True for what looks like the refresh token of a stub of any root, the Go program's included. */
export function looksLikeStubRefreshToken(token: string): boolean {
  return token === REFRESH_MARKER || token.startsWith(`${REFRESH_MARKER}.`);
}

// --- internal ---

/** Year 2100: Codex never asks for a new one by expiry. */
const STUB_EXPIRES_S = 4_102_444_800;
const REFRESH_MARKER = "codexlb-runtime-refresh";

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const HEAD = encode({ alg: "HS256", typ: "JWT" });

function signed(claims: unknown, key: string): string {
  const body = `${HEAD}.${encode(claims)}`;
  return `${body}.${signatureOf(body, key)}`;
}

function signatureOf(body: string, key: string): string {
  return createHmac("sha256", key).update(body).digest("base64url");
}

function refreshTokenOf(key: string): string {
  return `${REFRESH_MARKER}.${signatureOf(REFRESH_MARKER, key)}`;
}

// Access and refresh tokens of the simulated accounts: access tokens expire, and refresh tokens work once.

import { createHmac } from "node:crypto";
import { AUTH_CLAIM, PROFILE_CLAIM, readClaims } from "../auth/claims.ts";
import type { Clock } from "../deps.ts";

/** The account that a token is issued to. */
export interface TokenOwner {
  readonly alias: string;
  readonly accountId: string;
  readonly email: string;
  readonly plan: string;
}

export interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly id_token: string;
}

export interface TokenIssuer<Owner extends TokenOwner> {
  /** The account that a request's bearer and account header name; undefined if they do not match or have expired. */
  authenticate(headers: Headers): Owner | undefined;
  issue(account: Owner, expiresInSeconds?: number): Tokens;
  /** Whether a refresh token would work. */
  isLive(refreshToken: string): boolean;
  refresh(refreshToken: string): { kind: "ok"; tokens: Tokens } | { kind: "refused"; code: string };
  /** Ends a login: its access and refresh tokens are refused from now on. */
  revoke(account: Owner): void;
}

/** `tokenSeconds`: the lifetime of access tokens. */
export function createTokenIssuer<Owner extends TokenOwner>(
  accounts: readonly Owner[],
  clock: Clock,
  tokenSeconds: number,
): TokenIssuer<Owner> {
  const generations = new Map(accounts.map((account) => [account.accountId, 0]));
  const live = new Map<string, Owner>();
  const spent = new Set<string>();
  let serial = 0;

  const issue = (account: Owner, expiresInSeconds = tokenSeconds): Tokens => {
    const refreshToken = `mock-refresh-${account.alias}-${++serial}`;
    live.set(refreshToken, account);
    const access = signed(
      account,
      clock.now(),
      expiresInSeconds,
      generations.get(account.accountId) ?? 0,
      serial,
    );
    return { access_token: access, refresh_token: refreshToken, id_token: access };
  };

  return {
    authenticate: (headers) => {
      const token = /^Bearer (.+)$/i.exec(headers.get("authorization") ?? "")?.[1] ?? "";
      const claims = readClaims(token);
      const account = accounts.find((one) => one.accountId === headers.get("chatgpt-account-id"));
      if (account === undefined || claims?.chatgptAccountId !== account.accountId) return undefined;
      if ((claims.exp ?? 0) * 1000 <= clock.now()) return undefined;
      return claims.sub === subject(account, generations.get(account.accountId) ?? 0) ? account : undefined;
    },
    issue,
    isLive: (refreshToken) => live.has(refreshToken),
    refresh: (refreshToken) => {
      if (spent.has(refreshToken)) return { kind: "refused", code: "refresh_token_reused" };
      const account = live.get(refreshToken);
      if (account === undefined) return { kind: "refused", code: "refresh_token_invalidated" };
      live.delete(refreshToken);
      spent.add(refreshToken);
      return { kind: "ok", tokens: issue(account) };
    },
    revoke: (account) => {
      generations.set(account.accountId, (generations.get(account.accountId) ?? 0) + 1);
      for (const [token, owner] of live) if (owner === account) live.delete(token);
    },
  };
}

/** auth.json of an account, as `codex login` writes it. */
export function mockAuthFile(account: TokenOwner, tokens: Tokens, nowMs: number): string {
  const file = {
    auth_mode: "chatgpt",
    OPENAI_API_KEY: null,
    tokens: { ...tokens, account_id: account.accountId },
    last_refresh: new Date(nowMs).toISOString(),
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

// --- internal ---

function subject(account: TokenOwner, generation: number): string {
  return `mock|${account.alias}|${generation}`;
}

function signed(
  account: TokenOwner,
  nowMs: number,
  expiresInSeconds: number,
  generation: number,
  serial: number,
): string {
  const nowS = Math.floor(nowMs / 1000);
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = {
    iat: nowS,
    exp: nowS + expiresInSeconds,
    jti: String(serial),
    sub: subject(account, generation),
    email: account.email,
    [AUTH_CLAIM]: {
      chatgpt_account_id: account.accountId,
      chatgpt_user_id: `user-${account.alias}`,
      chatgpt_plan_type: account.plan,
    },
    [PROFILE_CLAIM]: { email: account.email, email_verified: true },
  };
  const head = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  // The key need not be secret, because it protects only a simulation.
  return `${head}.${createHmac("sha256", "codexlb mock").update(head).digest("base64url")}`;
}

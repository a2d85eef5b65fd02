// The accounts of the simulated backend: allowances that really run down, tokens that really expire, refresh
// tokens that work once.

import { createHmac } from "node:crypto";
import { AUTH_CLAIM, PROFILE_CLAIM, readClaims } from "../auth/claims.ts";
import type { Clock } from "../deps.ts";

export interface MockAccountOptions {
  readonly alias: string;
  /** Turns in the short window. Default 1000. */
  readonly turns?: number;
  readonly plan?: string;
  /** What `GET …/models` returns to this account. Default: what the backend returns to all. */
  readonly models?: unknown;
}

export interface MockAccount {
  readonly alias: string;
  readonly accountId: string;
  readonly email: string;
  readonly plan: string;
  /** Its own catalogue, if it has one. */
  models: unknown;
  /** Turns the short window allows. */
  turns: number;
  used: number;
  /** End of the short window, Unix ms. */
  resetMs: number;
}

export interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly id_token: string;
}

export interface MockAccounts {
  readonly all: readonly MockAccount[];
  byAlias(alias: string): MockAccount;
  /** The account that a request's bearer and account header name; undefined when they do not fit or are out of date. */
  authenticate(headers: Headers): MockAccount | undefined;
  issue(account: MockAccount, expiresInSeconds?: number): Tokens;
  /** Whether a refresh token would work. */
  isLive(refreshToken: string): boolean;
  refresh(refreshToken: string): { kind: "ok"; tokens: Tokens } | { kind: "refused"; code: string };
  /** Ends a login: its tokens and their refresh are refused from now on. */
  revoke(account: MockAccount): void;
  /** Uses one turn; false when the allowance is used up. */
  spend(account: MockAccount): boolean;
  rates(account: MockAccount): Rates;
}

/** One account's windows in percent. */
export interface Rates {
  readonly primary: { readonly used: number; readonly resetAtS: number };
  readonly secondary: { readonly used: number; readonly resetAtS: number };
}

const WINDOW_MS = 5 * 3_600_000;
const WEEK_MS = 7 * 24 * 3_600_000;
/** The long window allows ten short ones. */
const SHORT_WINDOWS_A_WEEK = 10;
const TOKEN_SECONDS = 3_600;

/** `tokenSeconds`: how long access tokens are good for. */
export function createMockAccounts(
  options: readonly MockAccountOptions[],
  clock: Clock,
  tokenSeconds = TOKEN_SECONDS,
): MockAccounts {
  const startMs = clock.now();
  const all = options.map(
    ({ alias, turns = 1000, plan = "pro", models }): MockAccount => ({
      alias,
      accountId: `mock-${alias}`,
      email: `${alias}@example.com`,
      plan,
      models,
      turns,
      used: 0,
      resetMs: startMs + WINDOW_MS,
    }),
  );
  const generations = new Map(all.map((account) => [account.accountId, 0]));
  const live = new Map<string, MockAccount>();
  const spent = new Set<string>();
  let serial = 0;

  const issue = (account: MockAccount, expiresInSeconds = tokenSeconds): Tokens => {
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

  const roll = (account: MockAccount): void => {
    while (account.resetMs <= clock.now()) {
      account.resetMs += WINDOW_MS;
      account.used = 0;
    }
  };

  return {
    all,
    byAlias: (alias) => {
      const found = all.find((account) => account.alias === alias);
      if (found === undefined) throw new Error(`the simulated backend has no account ${alias}`);
      return found;
    },
    authenticate: (headers) => {
      const token = /^Bearer (.+)$/i.exec(headers.get("authorization") ?? "")?.[1] ?? "";
      const claims = readClaims(token);
      const account = all.find((one) => one.accountId === headers.get("chatgpt-account-id"));
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
    spend: (account) => {
      roll(account);
      if (account.used >= account.turns) return false;
      account.used++;
      return true;
    },
    rates: (account) => {
      roll(account);
      const used = Math.min(100, Math.round((account.used / account.turns) * 100));
      return {
        primary: { used, resetAtS: Math.floor(account.resetMs / 1000) },
        secondary: {
          used: Math.round(used / SHORT_WINDOWS_A_WEEK),
          resetAtS: Math.floor((startMs + WEEK_MS) / 1000),
        },
      };
    },
  };
}

/** auth.json of an account, as `codex login` would have left it. */
export function mockAuthFile(account: MockAccount, tokens: Tokens, nowMs: number): string {
  const file = {
    auth_mode: "chatgpt",
    OPENAI_API_KEY: null,
    tokens: { ...tokens, account_id: account.accountId },
    last_refresh: new Date(nowMs).toISOString(),
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

// --- internal ---

function subject(account: MockAccount, generation: number): string {
  return `mock|${account.alias}|${generation}`;
}

function signed(
  account: MockAccount,
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
  // Anyone may know this key: it protects nothing but a simulation.
  return `${head}.${createHmac("sha256", "codexlb mock").update(head).digest("base64url")}`;
}

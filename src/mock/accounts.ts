// The accounts of the simulated backend. Their quota runs down, their access tokens expire, and their refresh tokens
// work once.

import { createHmac } from "node:crypto";
import { AUTH_CLAIM, PROFILE_CLAIM, readClaims } from "../auth/claims.ts";
import type { Clock } from "../deps.ts";

export interface MockAccountOptions {
  readonly alias: string;
  /** Turns allowed in its first window. Default 1000. */
  readonly turns?: number;
  readonly plan?: string;
  /** Its windows. Default: a short and a weekly one. */
  readonly windows?: readonly MockWindow[];
  /** Credits. Each turn beyond the windows costs one. Default: none. */
  readonly credits?: number | "unlimited";
  /** Separate limits for single models. */
  readonly meters?: readonly MockMeterOptions[];
  /** The workspace's limit for this member, in turns, independent of the windows. Default: none. */
  readonly memberTurns?: number;
  /** The account's own response to `GET …/models`. Default: the backend's common one. */
  readonly models?: unknown;
}

export type MockWindow = "short" | "weekly" | "monthly";

export interface MockMeterOptions {
  /** The model that the limit meters; also its name. */
  readonly model: string;
  /** Id of the limit. */
  readonly feature: string;
  readonly turns: number;
}

/** The usage of a limit in turns. */
interface Meter {
  /** Turns allowed in the first window. */
  turns: number;
  used: number;
  /** End of the first window, Unix ms. */
  resetMs: number;
}

export interface MockAccount extends Meter {
  readonly alias: string;
  readonly accountId: string;
  readonly email: string;
  readonly plan: string;
  readonly windows: readonly MockWindow[];
  credits: number | "unlimited" | undefined;
  readonly meters: readonly (Meter & MockMeterOptions)[];
  readonly memberTurns: number | undefined;
  /** All turns so far. */
  served: number;
  /** Its own catalogue, if it has one. */
  models: unknown;
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
  /** Uses one turn for `model`, or returns the refusal if the quota is exhausted. */
  spend(account: MockAccount, model: string): SpendResult;
  rates(account: MockAccount): Rates;
}

export type SpendResult =
  | { readonly kind: "ok" }
  /** `limit`: the id of the exhausted limit. */
  | { readonly kind: "refused"; readonly limit: string; readonly code: string; readonly resetMs: number };

/** One window in percent. */
export interface Rate {
  readonly used: number;
  readonly resetAtS: number;
  readonly seconds: number;
}

/** One account's limits, with windows in wire format. */
export interface Rates {
  readonly primary: Rate | undefined;
  readonly secondary: Rate | undefined;
  readonly meters: readonly { readonly name: string; readonly feature: string; readonly primary: Rate }[];
  readonly credits: { readonly has_credits: boolean; readonly unlimited: boolean; readonly balance: string };
  /** Why nothing is left, if the windows are not the reason. */
  readonly reachedType: string | undefined;
  readonly individual:
    | { readonly limit: number; readonly used: number; readonly resetAtS: number }
    | undefined;
}

const SECONDS: Readonly<Record<MockWindow, number>> = {
  short: 5 * 3_600,
  weekly: 7 * 86_400,
  monthly: 30 * 86_400,
};
/** The second window allows ten times the first. */
const FIRST_WINDOWS = 10;
/** The backend's id of the main limit. */
const MAIN_LIMIT = "codex";
const TOKEN_SECONDS = 3_600;

/** `tokenSeconds`: the lifetime of access tokens. */
export function createMockAccounts(
  options: readonly MockAccountOptions[],
  clock: Clock,
  tokenSeconds = TOKEN_SECONDS,
): MockAccounts {
  const startMs = clock.now();
  const lengthMs = ([first = "short"]: readonly MockWindow[]) => SECONDS[first] * 1000;
  const all = options.map(
    ({ alias, turns = 1000, plan = "pro", windows = ["short", "weekly"], ...more }): MockAccount => ({
      alias,
      accountId: `mock-${alias}`,
      email: `${alias}@example.com`,
      plan,
      windows,
      models: more.models,
      turns,
      used: 0,
      resetMs: startMs + lengthMs(windows),
      credits: more.credits,
      meters: (more.meters ?? []).map((meter) => ({
        ...meter,
        used: 0,
        resetMs: startMs + SECONDS.short * 1000,
      })),
      memberTurns: more.memberTurns,
      served: 0,
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

  const roll = (meter: Meter, windowMs: number): void => {
    while (meter.resetMs <= clock.now()) {
      meter.resetMs += windowMs;
      meter.used = 0;
    }
  };
  const rollAll = (account: MockAccount): void => {
    roll(account, lengthMs(account.windows));
    for (const meter of account.meters) roll(meter, SECONDS.short * 1000);
  };
  const rate = ({ turns, used, resetMs }: Meter, window: MockWindow): Rate => ({
    used: Math.min(100, Math.round((used / turns) * 100)),
    resetAtS: Math.floor(resetMs / 1000),
    seconds: SECONDS[window],
  });

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
    spend: (account, model) => {
      rollAll(account);
      const { memberTurns } = account;
      const refused = (limit: string, { resetMs }: Meter, code = "usage_limit_reached"): SpendResult => ({
        kind: "refused",
        limit,
        code,
        resetMs,
      });
      if (memberTurns !== undefined && account.served >= memberTurns)
        return refused(MAIN_LIMIT, account, "workspace_member_usage_limit_reached");
      const meter = account.meters.find((one) => one.model === model);
      const counted = meter ?? account;
      if (counted.used < counted.turns) counted.used++;
      else if (meter !== undefined) return refused(meter.feature, meter);
      else if (account.credits === undefined || account.credits === 0) return refused(MAIN_LIMIT, account);
      else if (account.credits !== "unlimited") account.credits--;
      account.served++;
      return { kind: "ok" };
    },
    rates: (account) => {
      rollAll(account);
      const [first = "short", second] = account.windows;
      const main = rate(account, first);
      const { credits, memberTurns } = account;
      return {
        primary: account.windows.length === 0 ? undefined : main,
        secondary:
          second === undefined
            ? undefined
            : {
                used: Math.round(main.used / FIRST_WINDOWS),
                resetAtS: Math.floor(startMs / 1000) + SECONDS[second],
                seconds: SECONDS[second],
              },
        meters: account.meters.map((meter) => ({
          name: meter.model,
          feature: meter.feature,
          primary: rate(meter, "short"),
        })),
        credits: {
          has_credits: credits !== undefined,
          unlimited: credits === "unlimited",
          balance: typeof credits === "number" ? String(credits) : "0",
        },
        reachedType:
          memberTurns !== undefined && account.served >= memberTurns
            ? "workspace_member_usage_limit_reached"
            : undefined,
        individual:
          memberTurns === undefined
            ? undefined
            : { limit: memberTurns, used: account.served, resetAtS: Math.floor(account.resetMs / 1000) },
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

// The accounts of the simulated backend. Their quota runs down, their access tokens expire, and their refresh tokens
// work once.

import type { Clock } from "../deps.ts";
import { grantedResets, type ResettableAccount } from "./reset-credits.ts";
import { createTokenIssuer, type TokenIssuer, type TokenOwner } from "./tokens.ts";
import { createUsage, firstWindowMs, type MockMeterOptions, type MockWindow, type Usage } from "./usage.ts";

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
  /** True if its first window begins with its first turn. Default: it runs from the start, and again after each reset. */
  readonly idle?: boolean;
  /** Saved resets of its windows. Default: the backend reports none. */
  readonly resets?: number;
  /** An API key: the account serves `/v1` with it, as OpenAI's API does, and has no windows and no login. */
  readonly apiKey?: string;
  /** The account's own response to `GET …/models`. Default: the backend's common one. */
  readonly models?: unknown;
}

export interface MockAccount extends TokenOwner, ResettableAccount {
  readonly apiKey: string | undefined;
  /** Its own catalogue, if it has one. */
  models: unknown;
}

export interface MockAccounts extends TokenIssuer<MockAccount>, Usage {
  readonly all: readonly MockAccount[];
  byAlias(alias: string): MockAccount;
  /** The account whose login or API key a request has; undefined if there is none. */
  ownerOf(request: Request): MockAccount | undefined;
}

const TOKEN_SECONDS = 3_600;

/** `tokenSeconds`: the lifetime of access tokens. */
export function createMockAccounts(
  options: readonly MockAccountOptions[],
  clock: Clock,
  tokenSeconds = TOKEN_SECONDS,
): MockAccounts {
  const startMs = clock.now();
  const all = options.map(
    ({ alias, turns = 1000, plan = "pro", windows = ["short", "weekly"], ...more }): MockAccount => ({
      alias,
      accountId: `mock-${alias}`,
      email: `${alias}@example.com`,
      plan,
      windows,
      apiKey: more.apiKey,
      models: more.models,
      turns,
      used: 0,
      resetMs: startMs + firstWindowMs(windows),
      credits: more.credits,
      meters: (more.meters ?? []).map((meter) => ({
        ...meter,
        used: 0,
        resetMs: startMs + firstWindowMs(["short"]),
      })),
      memberTurns: more.memberTurns,
      beginsAtUse: more.idle ?? false,
      hasBegun: more.idle !== true,
      served: 0,
      resets: more.resets === undefined ? undefined : grantedResets(alias, more.resets, startMs),
      redeemed: new Set(),
    }),
  );
  const logins = all.filter(({ apiKey }) => apiKey === undefined);
  const issuer = createTokenIssuer(logins, clock, tokenSeconds);
  return {
    all,
    byAlias: (alias) => {
      const found = all.find((account) => account.alias === alias);
      if (found === undefined) throw new Error(`the simulated backend has no account ${alias}`);
      return found;
    },
    ownerOf: (request) => {
      if (!isApiRequest(request)) return issuer.authenticate(request.headers);
      const bearer = request.headers.get("authorization")?.replace(/^Bearer /i, "");
      return all.find(({ apiKey }) => apiKey !== undefined && apiKey === bearer);
    },
    ...issuer,
    ...createUsage(clock, startMs),
  };
}

/** True for a request to the simulated OpenAI API, which names no ChatGPT account. */
export function isApiRequest({ url, headers }: Request): boolean {
  return new URL(url).pathname.startsWith("/v1/") && !headers.has("chatgpt-account-id");
}

// Login files as Codex and other programs write them.

import { AUTH_CLAIM } from "../../../src/auth/claims.ts";

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** 2026-01-01, and 2100-01-01 for tokens that have not expired; Unix seconds. */
const ISSUED_S = 1_767_225_600;
const VALID_S = 4_102_444_800;

/** A token of the user `name`. `kind` distinguishes the tokens of a login. */
export function jwt(name: string, kind: string, expiresS = VALID_S): string {
  const claims = {
    iat: ISSUED_S,
    exp: expiresS,
    jti: kind,
    email: `${name}@example.com`,
    [AUTH_CLAIM]: {
      chatgpt_account_id: `acc-${name}`,
      chatgpt_user_id: `user-${name}`,
      chatgpt_plan_type: "plus",
    },
  };
  return `${encode({ alg: "none", typ: "JWT" })}.${encode(claims)}.sig`;
}

/** openai/codex codex-rs/login/src/auth/storage.rs (AuthDotJson). */
export function codexFile(name: string) {
  return {
    auth_mode: "chatgpt",
    OPENAI_API_KEY: null,
    tokens: {
      id_token: jwt(name, "id"),
      access_token: jwt(name, "access"),
      refresh_token: `rt-${name}`,
      account_id: `acc-${name}`,
    },
    last_refresh: "2026-01-02T03:04:05Z",
  };
}

/** router-for-me/CLIProxyAPI internal/auth/codex/token.go (CodexTokenStorage). */
export function cliProxyApiFile(name: string, expiresS = VALID_S) {
  return {
    id_token: jwt(name, "id", expiresS),
    access_token: jwt(name, "access", expiresS),
    refresh_token: `rt-${name}`,
    account_id: `acc-${name}`,
    last_refresh: "2026-01-02T03:04:05Z",
    email: `${name}@example.com`,
    type: "codex",
    expired: new Date(expiresS * 1000).toISOString(),
  };
}

/** ndycode/codex-multi-auth lib/storage/public-types.ts (AccountStorageV3). */
export function multiAuthFile(names: readonly string[]) {
  return {
    version: 3,
    accounts: names.map((name) => ({
      accountId: `acc-${name}`,
      accountIdSource: "token",
      email: `${name}@example.com`,
      refreshToken: `rt-${name}`,
      accessToken: jwt(name, "access"),
      expiresAt: VALID_S * 1000,
      enabled: true,
      addedAt: ISSUED_S * 1000,
      lastUsed: ISSUED_S * 1000,
    })),
    activeIndex: 0,
    activeIndexByFamily: {},
  };
}

/** anomalyco/opencode packages/opencode/src/auth/index.ts (Oauth). */
export function opencodeFile(name: string) {
  return {
    openai: {
      type: "oauth",
      refresh: `rt-${name}`,
      access: jwt(name, "access"),
      expires: VALID_S * 1000,
      accountId: `acc-${name}`,
    },
  };
}

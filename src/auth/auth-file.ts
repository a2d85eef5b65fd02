// Reads the credentials in an auth.json of Codex, and replaces its tokens. Unknown keys are kept.

import { z } from "zod";
import { advised } from "../advice.ts";
import { headerValue } from "../core/bounds.ts";
import { parseJson } from "../core/json.ts";
import { CodexlbError } from "../errors.ts";
import { apiKeyIn } from "./api-key-file.ts";
import { type Claims, readClaims } from "./claims.ts";
import { unservedKind } from "./login-kinds.ts";

/** The credentials for an account's requests, and the account's identity according to its tokens. */
export interface Credentials {
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
  readonly idToken: string | undefined;
  /** Value of the `chatgpt-account-id` header. */
  readonly accountId: string | undefined;
  readonly userId: string | undefined;
  readonly email: string | undefined;
  readonly planType: string | undefined;
  /** When the access token expires, Unix ms; undefined for an opaque token. */
  readonly expiresMs: number | undefined;
  /** The base URL of the API if the access token is an API key; undefined for a ChatGPT login. */
  readonly apiBaseUrl: string | undefined;
  /** When the tokens were issued or renewed, Unix ms; undefined if the file does not say. */
  readonly refreshedMs: number | undefined;
}

/** New tokens from the token endpoint. Tokens that are undefined stay unchanged. */
export interface NewTokens {
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
  readonly idToken: string | undefined;
}

/**
 * Reads the text of an auth.json; `name` is used in errors. Throws `invalid_auth_file`, also for a login type that
 * codexlb cannot serve.
 */
export function parseAuthFile(text: string, name: string): Credentials {
  const apiKey = apiKeyIn(text);
  if (typeof apiKey === "string") throw invalid(name, `is not usable: ${apiKey}`);
  if (apiKey !== undefined) return { ...OPAQUE, accessToken: apiKey.key, apiBaseUrl: apiKey.baseUrl };
  const access = personalAccessOf(text);
  return access === undefined ? tokenCredentials(text, name) : credentialsOfAccess(access);
}

/** The owner of a personal access token. The token itself does not contain it. */
export interface TokenOwner {
  readonly accountId: string;
  readonly userId: string;
  readonly email: string | undefined;
  readonly planType: string;
}

/** The personal access token of an auth.json that does not name its owner yet; undefined for any other login. */
export function ownerlessToken(text: string): string | undefined {
  const access = personalAccessOf(text);
  return access?.[OWNER_KEY] === undefined ? access?.personal_access_token : undefined;
}

/** Adds the owner of a personal access token to `text`, an auth.json, and keeps everything else. */
export function withOwner(text: string, owner: TokenOwner): string {
  const file = parseJson(text) as Record<string, unknown>;
  return `${JSON.stringify({ ...file, [OWNER_KEY]: owner }, undefined, 2)}\n`;
}

/** `text` with its tokens replaced and everything else kept. `nowMs` becomes `last_refresh`. */
export function withNewTokens(text: string, name: string, tokens: NewTokens, nowMs: number): string {
  const file = authFileOf(text, name);
  const accountId = readClaims(tokens.accessToken)?.chatgptAccountId ?? file.tokens.account_id;
  const next = {
    ...file,
    auth_mode: file.auth_mode ?? "chatgpt",
    tokens: {
      ...file.tokens,
      access_token: tokens.accessToken,
      ...(tokens.refreshToken === undefined ? {} : { refresh_token: tokens.refreshToken }),
      ...(tokens.idToken === undefined ? {} : { id_token: tokens.idToken }),
      ...(accountId === undefined ? {} : { account_id: accountId }),
    },
    last_refresh: new Date(nowMs).toISOString(),
  };
  return `${JSON.stringify(next, undefined, 2)}\n`;
}

/** The text of a new login's auth.json, as codex writes it. `nowMs` becomes `last_refresh`. */
export function newAuthFile(tokens: Required<NewTokens>, nowMs: number): string {
  const claims = readClaims(tokens.accessToken) ?? readClaims(tokens.idToken ?? "");
  return authFileText({ ...tokens, accountId: claims?.chatgptAccountId, refreshedMs: nowMs });
}

/** What `authFileText` writes. */
export interface AuthFileContent extends NewTokens {
  readonly accountId: string | undefined;
  /** Unix ms; undefined: when the access token was issued, if it says so. */
  readonly refreshedMs: number | undefined;
}

/** The text of an auth.json with these tokens, as codex writes it. */
export function authFileText(content: AuthFileContent): string {
  const { accessToken, refreshToken, idToken, accountId, refreshedMs } = content;
  const issued = readClaims(accessToken)?.iat;
  const timeMs = refreshedMs ?? (issued === undefined ? undefined : issued * 1000);
  const file = {
    auth_mode: "chatgpt",
    OPENAI_API_KEY: null,
    tokens: {
      id_token: idToken,
      access_token: accessToken,
      refresh_token: refreshToken,
      ...(accountId === undefined ? {} : { account_id: accountId }),
    },
    ...(timeMs === undefined ? {} : { last_refresh: new Date(timeMs).toISOString() }),
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/** The keys of `text`, a valid auth.json, without the one that codexlb adds. */
export function authFileWithoutOwner(
  text: string,
): Readonly<Record<string, unknown>> & { readonly tokens?: Readonly<Record<string, unknown>> } {
  const { [OWNER_KEY]: _owner, ...file } = parseJson(text) as Record<string, unknown>;
  return file;
}

/** True if two texts of an auth.json say the same, however they are formatted. */
export function sameAuthFile(a: string, b: string): boolean {
  const first = parseJson(a);
  return first !== undefined && Bun.deepEquals(first, parseJson(b));
}

/** The next step after an auth.json that is not a usable login. */
export function logInNext(): string {
  return `log in with: ${advised("account login", "ALIAS")}, or run \`codex login\` in a Codex home and import that home`;
}

// --- internal ---

function tokenCredentials(text: string, name: string): Credentials {
  const file = authFileOf(text, name);
  const { tokens } = file;
  const access = readClaims(tokens.access_token);
  const id = tokens.id_token === undefined ? undefined : readClaims(tokens.id_token);
  const first = <K extends keyof Claims>(key: K) => access?.[key] ?? id?.[key];
  const exp = access?.exp;
  return {
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token,
    idToken: tokens.id_token,
    accountId: tokens.account_id ?? headerValue(first("chatgptAccountId") ?? ""),
    userId: first("chatgptUserId"),
    email: first("email"),
    planType: id?.planType ?? access?.planType,
    expiresMs: exp === undefined ? undefined : exp * 1000,
    refreshedMs: timeOf(file.last_refresh),
    apiBaseUrl: undefined,
  };
}

/** Text that can be sent in a header: visible ASCII. The backend's own tokens are base64, dots and dashes. */
const sendable = (most: number) =>
  z
    .string()
    .regex(/^[!-~]+$/, NOT_SENDABLE)
    .max(most, NOT_SENDABLE);
const NOT_SENDABLE = "cannot be sent in a header";
const LONGEST_TOKEN = 16 * 1024;
const LONGEST_ACCOUNT_ID = 256;

/** A token that can be sent and stored. */
export const Token = z
  .string()
  .transform((value) => value.trim())
  .pipe(z.string().min(1))
  .pipe(sendable(LONGEST_TOKEN));
const optional = (most: number) =>
  z
    .string()
    .nullish()
    .transform((value) => value?.trim() || undefined)
    .pipe(sendable(most).optional());
const optionalToken = optional(LONGEST_TOKEN);

const AuthFile = z.looseObject({
  auth_mode: z.string().nullish(),
  last_refresh: z.string().nullish().catch(undefined),
  tokens: z.looseObject({
    access_token: Token,
    refresh_token: optionalToken,
    id_token: optionalToken,
    account_id: optional(LONGEST_ACCOUNT_ID),
  }),
});

/** A key that codexlb adds to those of Codex. */
const OWNER_KEY = "codexlb_owner";

/** `codex login --with-access-token` writes this, without a mode. */
const PersonalAccessFile = z.looseObject({
  auth_mode: z.enum(["personalAccessToken", "personal_access_token"]).nullish(),
  personal_access_token: Token,
  [OWNER_KEY]: z
    .object({
      accountId: sendable(LONGEST_ACCOUNT_ID),
      userId: z.string(),
      email: z.string().optional(),
      planType: z.string(),
    })
    .optional()
    .catch(undefined),
});

/** The personal access token that Codex would use. Without a mode Codex prefers it to `tokens`. */
function personalAccessOf(text: string): z.output<typeof PersonalAccessFile> | undefined {
  return PersonalAccessFile.safeParse(parseJson(text)).data;
}

/** What is unknown about a personal access token or an API key, which are sent unchanged and cannot be renewed. */
const OPAQUE = {
  refreshToken: undefined,
  idToken: undefined,
  accountId: undefined,
  userId: undefined,
  email: undefined,
  planType: undefined,
  expiresMs: undefined,
  refreshedMs: undefined,
  apiBaseUrl: undefined,
} as const;

/** A personal access token is sent unchanged and cannot be renewed. */
function credentialsOfAccess({
  personal_access_token: accessToken,
  [OWNER_KEY]: owner,
}: z.output<typeof PersonalAccessFile>): Credentials {
  return {
    ...OPAQUE,
    accessToken,
    accountId: owner?.accountId,
    userId: owner?.userId,
    email: owner?.email,
    planType: owner?.planType,
  };
}

function authFileOf(text: string, name: string): z.output<typeof AuthFile> {
  const raw = parseJson(text);
  if (raw === undefined) throw invalid(name, "is not JSON");
  const unserved = unservedKind(raw);
  if (unserved !== undefined) throw invalid(name, unserved);
  const parsed = AuthFile.safeParse(raw);
  if (parsed.success) return parsed.data;
  const unsendable = parsed.error.issues.find(({ message }) => message === NOT_SENDABLE);
  if (unsendable !== undefined)
    throw invalid(name, `has a ${unsendable.path.join(".")} that ${NOT_SENDABLE}`);
  throw invalid(name, "has no tokens.access_token");
}

function timeOf(text: string | null | undefined): number | undefined {
  const ms = Date.parse(text ?? "");
  return Number.isNaN(ms) ? undefined : ms;
}

function invalid(name: string, why: string): CodexlbError {
  return new CodexlbError("invalid_auth_file", `reading ${name}: it ${why}`, {
    next: logInNext(),
  });
}

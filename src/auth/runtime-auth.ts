// Checks that a Codex home contains the expected stub. `doctor`, the status document and `/health/auth-runtime` report
// the result for the home of `codexlb run`, in the Go program's fields.

import { join } from "node:path";
import { z } from "zod";
import { messageOf } from "../errors.ts";
import { readTextIfPresent } from "../state/atomic-file.ts";
import { AUTH_CLAIM, PROFILE_CLAIM } from "./claims.ts";
import { looksLikeStubRefreshToken, ownerOfStub, STUB_ACCOUNT_ID, STUB_EMAIL, STUB_SUBJECT } from "./stub.ts";

export interface RuntimeAuth {
  readonly ok: boolean;
  readonly path: string;
  readonly exists: boolean;
  readonly account_id?: string;
  readonly access_subject?: string;
  readonly access_account_id?: string;
  readonly access_email?: string;
  readonly profile_email?: string;
  readonly refresh_token_proxy: boolean;
  readonly access_equals_id_token: boolean;
  /** The first problem. */
  readonly issue?: string;
}

/** Checks `codexHome`/auth.json. Never throws. */
export function checkRuntimeAuth(codexHome: string): RuntimeAuth {
  const path = join(codexHome, "auth.json");
  const bad = (issue: string, exists = true): RuntimeAuth => ({
    ok: false,
    path,
    exists,
    refresh_token_proxy: false,
    access_equals_id_token: false,
    issue,
  });
  let text: string | undefined;
  try {
    text = readTextIfPresent(path);
  } catch (error) {
    return bad(`read auth.json: ${messageOf(error)}`);
  }
  if (text === undefined) return bad("missing auth.json", false);
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    return bad(`parse auth.json: ${messageOf(error)}`);
  }
  const file = AuthFile.safeParse(raw);
  if (!file.success) return bad("missing tokens object");
  const { tokens } = file.data;
  const claims = claimsOf(tokens.access_token);
  if (claims === undefined) return bad("decode access token: not a token of codexlb run");
  const found = {
    account_id: tokens.account_id,
    access_subject: claims.sub,
    access_account_id: claims[AUTH_CLAIM].chatgpt_account_id,
    access_email: claims.email,
    profile_email: claims[PROFILE_CLAIM].email,
  };
  const refreshTokenProxy = looksLikeStubRefreshToken(tokens.refresh_token);
  const accessEqualsIdToken = tokens.access_token === tokens.id_token;
  // The id token may name the owner of the user's own login instead.
  const owner = ownerOfStub(tokens.id_token);
  const issue = firstWrong([
    ["tokens.account_id", found.account_id, owner?.accountId ?? STUB_ACCOUNT_ID],
    ["the access token's account id", found.access_account_id, STUB_ACCOUNT_ID],
    ["the access token's subject", found.access_subject, STUB_SUBJECT],
    ["the access token's e-mail", found.access_email, STUB_EMAIL],
    ["the access token's profile e-mail", found.profile_email, STUB_EMAIL],
    ["the refresh token is the proxy's", refreshTokenProxy, true],
    ["the access token equals the id token", accessEqualsIdToken || owner !== undefined, true],
  ]);
  return {
    ok: issue === undefined,
    path,
    exists: true,
    ...Object.fromEntries(Object.entries(found).filter(([, value]) => value !== "")),
    refresh_token_proxy: refreshTokenProxy,
    access_equals_id_token: accessEqualsIdToken,
    ...(issue === undefined ? {} : { issue }),
  };
}

// --- internal ---

const text = z.string().default("").catch("");

const AuthFile = z.looseObject({
  tokens: z.looseObject({ access_token: text, id_token: text, refresh_token: text, account_id: text }),
});

const Payload = z.looseObject({
  sub: text,
  email: text,
  [AUTH_CLAIM]: z.looseObject({ chatgpt_account_id: text }).prefault({}).catch({ chatgpt_account_id: "" }),
  [PROFILE_CLAIM]: z.looseObject({ email: text }).prefault({}).catch({ email: "" }),
});

function claimsOf(token: string): z.output<typeof Payload> | undefined {
  try {
    const payload = Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8");
    return Payload.parse(JSON.parse(payload));
  } catch {
    return undefined; // not a JWT
  }
}

function firstWrong(checks: readonly (readonly [string, unknown, unknown])[]): string | undefined {
  const wrong = checks.find(([, found, wanted]) => found !== wanted);
  if (wrong === undefined) return undefined;
  const [what, found, wanted] = wrong;
  return typeof wanted === "boolean"
    ? `not true: ${what}`
    : `${what} is ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`;
}

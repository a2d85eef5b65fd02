// The credentials that Codex gets from us instead of real ones: a signed token that only this proxy knows, so a
// Codex home never holds anything of value. Same shape as the Go program's, but signed (HS256).

import { sign } from "hono/jwt";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import { makePrivateDirectory, readTextIfPresent, writeFileAtomic } from "../state/atomic-file.ts";
import type { Layout } from "../state/layout.ts";
import { AUTH_CLAIM, PROFILE_CLAIM } from "./claims.ts";

export const STUB_ACCOUNT_ID = "proxy-only";
export const STUB_EMAIL = "proxy-only@codexlb.internal";
export const STUB_SUBJECT = "codexlb-proxy-only";
/** A marker, not a secret: it buys nothing but another stub. */
export const STUB_REFRESH_TOKEN = "codexlb-runtime-refresh";
/** Year 2100: Codex never asks for a new one by expiry. */
const STUB_EXPIRES_S = 4_102_444_800;
/** What Codex is told when no account's plan is known. */
export const DEFAULT_PLAN = "plus";

/** auth.json with a stub: what `run` writes into the runtime home. */
export interface StubAuth {
  readonly OPENAI_API_KEY: null;
  readonly auth_mode: "chatgpt";
  readonly last_refresh: string;
  readonly tokens: {
    readonly access_token: string;
    readonly id_token: string;
    readonly refresh_token: string;
    readonly account_id: string;
  };
}

/** A stub for the plan that Codex shall believe to be on. */
export async function makeStub(planType: string, key: string, nowMs: number): Promise<StubAuth> {
  const token = await sign(
    {
      email: STUB_EMAIL,
      sub: STUB_SUBJECT,
      exp: STUB_EXPIRES_S,
      [AUTH_CLAIM]: { chatgpt_account_id: STUB_ACCOUNT_ID, chatgpt_plan_type: planType },
      [PROFILE_CLAIM]: { email: STUB_EMAIL },
    },
    key,
    "HS256",
  );
  return {
    OPENAI_API_KEY: null,
    auth_mode: "chatgpt",
    last_refresh: `${new Date(nowMs).toISOString().slice(0, 19)}Z`,
    tokens: {
      access_token: token,
      id_token: token,
      refresh_token: STUB_REFRESH_TOKEN,
      account_id: STUB_ACCOUNT_ID,
    },
  };
}

/** The key that signs this root's stubs; made on first use, for the owner only. */
export function signingKeyOf(layout: Layout, { random }: Pick<Deps, "random">): string {
  const kept = readTextIfPresent(layout.signingKey)?.trim();
  if (kept !== undefined && kept.length >= 32) return kept;
  const key = Buffer.from(random(32)).toString("base64url");
  try {
    makePrivateDirectory(layout.root);
    writeFileAtomic(layout.signingKey, `${key}\n`);
  } catch (error) {
    throw new Error(`making ${layout.signingKey}: ${messageOf(error)}`);
  }
  return key;
}

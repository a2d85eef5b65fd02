// Reads the claims of a token. They serve as identity and for display, and never grant access, because only the backend
// can check the signature. An opaque token has no claims.

import { z } from "zod";
import { shortText } from "../core/bounds.ts";
import { parseJson } from "../core/json.ts";

export interface Claims {
  /** Unix seconds. */
  readonly exp: number | undefined;
  /** When the token was issued, Unix seconds. */
  readonly iat: number | undefined;
  /** When the user signed in, Unix seconds. */
  readonly authTime: number | undefined;
  readonly sub: string | undefined;
  readonly email: string | undefined;
  readonly chatgptAccountId: string | undefined;
  readonly chatgptUserId: string | undefined;
  readonly planType: string | undefined;
}

/** The claims of a JWT; undefined for any other token. */
export function readClaims(token: string): Claims | undefined {
  const payload = token.split(".")[1];
  if (payload === undefined) return undefined;
  const parsed = Payload.safeParse(parseJson(Buffer.from(payload, "base64url").toString("utf8")));
  // An opaque token has no claims.
  if (!parsed.success) return undefined;
  const auth = parsed.data[AUTH_CLAIM];
  return {
    exp: parsed.data.exp,
    iat: parsed.data.iat,
    authTime: parsed.data.auth_time,
    sub: parsed.data.sub,
    email: parsed.data[PROFILE_CLAIM]?.email ?? parsed.data.email,
    chatgptAccountId: auth?.chatgpt_account_id,
    chatgptUserId: auth?.chatgpt_user_id ?? auth?.user_id,
    planType: auth?.chatgpt_plan_type,
  };
}

/** Names of the claim objects in the backend's tokens. */
export const AUTH_CLAIM = "https://api.openai.com/auth";
export const PROFILE_CLAIM = "https://api.openai.com/profile";

// --- internal ---

/** Claims are displayed and stored; no real name, address or plan is longer. */
const LONGEST_CLAIM = 320;

/** Unix seconds that a date can represent. */
const optionalTime = z.number().min(0).max(8.64e12).optional().catch(undefined);

const optionalText = z
  .string()
  .optional()
  .catch(undefined)
  .transform((text) => (text === undefined ? undefined : shortText(text, LONGEST_CLAIM)));

const Payload = z.looseObject({
  exp: z.number().optional().catch(undefined),
  iat: optionalTime,
  auth_time: optionalTime,
  sub: optionalText,
  email: optionalText,
  [AUTH_CLAIM]: z
    .looseObject({
      chatgpt_account_id: optionalText,
      chatgpt_user_id: optionalText,
      user_id: optionalText,
      chatgpt_plan_type: optionalText,
    })
    .optional()
    .catch(undefined),
  [PROFILE_CLAIM]: z.looseObject({ email: optionalText }).optional().catch(undefined),
});

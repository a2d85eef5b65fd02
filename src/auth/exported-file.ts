// The auth.json for a Codex home outside codexlb.

import { CodexlbError } from "../errors.ts";
import { withExportedCap } from "./api-key-file.ts";
import { authFileWithoutOwner, parseAuthFile } from "./auth-file.ts";

/**
 * The login in `text`, an auth.json of an account, as codex writes it. Codex reads no login without an id token, which
 * logins from other programs lack until codexlb renews them; the access token contains the same claims. `name` is used
 * in errors. `capUsd`: the monthly cap of an API key. Throws `invalid_auth_file`.
 */
export function exportedAuthFile(text: string, name: string, capUsd?: number): string {
  const { accessToken, idToken = accessToken, refreshToken = "" } = parseAuthFile(text, name);
  const { tokens, ...file } = authFileWithoutOwner(text);
  if (tokens === undefined)
    return capUsd === undefined ? textOf(file) : withExportedCap(textOf(file), capUsd);
  if (idToken.split(".").length !== JWT_PARTS)
    throw new CodexlbError("invalid_auth_file", `${name} has no id token, and Codex needs one`, {
      next: "run a turn on the account, so that codexlb renews its tokens, or log in with: codex login",
    });
  const { auth_mode: mode, OPENAI_API_KEY: key, ...more } = file;
  return textOf({
    auth_mode: mode ?? "chatgpt",
    OPENAI_API_KEY: key ?? null,
    tokens: { ...tokens, id_token: idToken, refresh_token: refreshToken },
    ...more,
  });
}

// --- internal ---

const JWT_PARTS = 3;

function textOf(file: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

// Turns the tokens that another program stores into a login.

import { authFileText } from "../auth-file.ts";
import type { FoundLogin, UnusableLogin } from "./format.ts";

/** The tokens of a login, as other programs store them. */
export interface PeerTokens {
  readonly access: string | undefined;
  readonly refresh: string | undefined;
  readonly id?: string | undefined;
  readonly accountId?: string | undefined;
  /** When the tokens were issued, Unix ms or a date; undefined if the program does not store it. */
  readonly refreshed?: string | number | undefined;
}

/** The login with `tokens` in the file `path`. `email`: its address in the other program. */
export function peerLogin(
  path: string,
  { access, refresh, id, accountId, refreshed }: PeerTokens,
  email?: string,
): FoundLogin | UnusableLogin {
  const accessToken = access?.trim();
  if (!accessToken) return { kind: "unusable", path, email, reason: "no access token" };
  const auth = authFileText({
    accessToken,
    refreshToken: refresh?.trim() || undefined,
    idToken: id?.trim() || undefined,
    accountId: accountId?.trim() || undefined,
    refreshedMs: msOf(refreshed),
  });
  return { kind: "login", path, auth, email };
}

// --- internal ---

function msOf(time: string | number | undefined): number | undefined {
  const ms = typeof time === "number" ? time : Date.parse(time ?? "");
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}

// The refresh lane of one account: one refresh at a time, in this process and across processes, re-read inside
// the lock, written back before use. A refresh POST is never sent twice blindly: refresh tokens work once.

import { join } from "node:path";
import { z } from "zod";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import { readTextIfPresent, writeFileAtomic } from "../state/atomic-file.ts";
import { waitForLock } from "../state/lock.ts";
import { type Credentials, type NewTokens, parseAuthFile, withNewTokens } from "./auth-file.ts";
import { authFileOf } from "./homes.ts";

/** The public client id of Codex, which the accounts' tokens were issued to. */
const CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann";
export const DEFAULT_TOKEN_URL = "https://auth.openai.com/oauth/token";

export type Renewal =
  | { readonly kind: "renewed"; readonly credentials: Credentials }
  /** The login is over: only a new one helps. `reason` is the disabled reason. */
  | { readonly kind: "dead"; readonly reason: string; readonly why: string }
  /** It may work later. */
  | { readonly kind: "failed"; readonly why: string };

export interface RefreshLane {
  /**
   * Renews the credentials in `homeDir` unless they are no longer those with `usedAccessToken`. Concurrent calls
   * share one refresh. Never throws.
   */
  renew(homeDir: string, usedAccessToken: string): Promise<Renewal>;
}

export interface RefreshSettings {
  readonly tokenUrl: string;
  readonly timeoutMs: number;
}

export function createRefreshLane(deps: Pick<Deps, "clock">, settings: () => RefreshSettings): RefreshLane {
  const running = new Map<string, Promise<Renewal>>();
  return {
    renew: (homeDir, usedAccessToken) => {
      const current = running.get(homeDir);
      if (current !== undefined) return current;
      const renewal = renewLocked(deps, settings(), homeDir, usedAccessToken)
        .catch((error): Renewal => ({ kind: "failed", why: messageOf(error) }))
        .finally(() => running.delete(homeDir));
      running.set(homeDir, renewal);
      return renewal;
    },
  };
}

// --- internal ---

async function renewLocked(
  deps: Pick<Deps, "clock">,
  settings: RefreshSettings,
  homeDir: string,
  usedAccessToken: string,
): Promise<Renewal> {
  const lock = await waitForLock(join(homeDir, ".auth.refresh.lock"), settings.timeoutMs);
  if (lock === undefined)
    return {
      kind: "failed",
      why: `another process has been renewing ${homeDir} for ${settings.timeoutMs} ms`,
    };
  try {
    return await renewNow(deps, settings, homeDir, usedAccessToken);
  } finally {
    lock.release();
  }
}

async function renewNow(
  { clock }: Pick<Deps, "clock">,
  settings: RefreshSettings,
  homeDir: string,
  usedAccessToken: string,
): Promise<Renewal> {
  const path = authFileOf(homeDir);
  const text = readTextIfPresent(path) ?? "";
  const before = parseAuthFile(text, path);
  if (before.accessToken !== usedAccessToken) return { kind: "renewed", credentials: before };
  if (before.refreshToken === undefined)
    return { kind: "dead", reason: "http-401", why: "there is no refresh token" };
  const answer = await postRefresh(settings, before.refreshToken);
  if (answer.kind !== "tokens") return answer;
  const next = withNewTokens(text, path, answer.tokens, clock.now());
  writeFileAtomic(path, next);
  return { kind: "renewed", credentials: parseAuthFile(next, path) };
}

type Answer = { readonly kind: "tokens"; readonly tokens: NewTokens } | Exclude<Renewal, { kind: "renewed" }>;

async function postRefresh({ tokenUrl, timeoutMs }: RefreshSettings, refreshToken: string): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(tokenUrl, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        client_id: CLIENT_ID,
        grant_type: "refresh_token",
        refresh_token: refreshToken,
      }),
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (error) {
    return { kind: "failed", why: `asking ${tokenUrl}: ${messageOf(error)}` };
  }
  const body = await response.text().catch(() => "");
  return response.ok ? tokensOf(body, tokenUrl) : refused(response.status, body);
}

const TokenAnswer = z.looseObject({
  access_token: z.string().min(1),
  refresh_token: z.string().min(1).optional(),
  id_token: z.string().min(1).optional(),
});

function tokensOf(body: string, tokenUrl: string): Answer {
  try {
    const answer = TokenAnswer.parse(JSON.parse(body));
    return {
      kind: "tokens",
      tokens: {
        accessToken: answer.access_token,
        refreshToken: answer.refresh_token,
        idToken: answer.id_token,
      },
    };
  } catch {
    return { kind: "failed", why: `${tokenUrl} answered without an access token` };
  }
}

/** Refusals after which only a new login helps, by the code the token endpoint names them with. */
const DEAD: Readonly<Record<string, string>> = {
  refresh_token_reused: "refresh-token-reused",
  refresh_token_expired: "refresh-token-expired",
  refresh_token_invalidated: "refresh-token-invalidated",
  invalid_grant: "invalid-grant",
};

const RefusalBody = z.looseObject({
  error: z.union([z.string(), z.looseObject({ code: z.string().nullish() })]).optional(),
});

function refused(status: number, body: string): Answer {
  let code = "";
  try {
    const { error } = RefusalBody.parse(JSON.parse(body));
    code = (typeof error === "string" ? error : error?.code) ?? "";
  } catch {
    // no error object: the status has to do
  }
  const reason = DEAD[code];
  const why = `the token endpoint answered ${status}${code === "" ? "" : ` ${code}`}`;
  if (reason !== undefined) return { kind: "dead", reason, why };
  // A plain 400 or 401 to a refresh says that this login is no longer accepted.
  return status === 400 || status === 401
    ? { kind: "dead", reason: "http-401", why }
    : { kind: "failed", why };
}

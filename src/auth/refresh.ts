// Renews the tokens of accounts. For each account one renewal runs at a time, in this process and across processes. It
// reads the file again under the lock, and writes the new tokens before they are used. It never repeats a request
// blindly, because a refresh token works once. Replicas of a pool take turns (renewal-turns.ts).

import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { boundedFetch } from "../bounded-fetch.ts";
import { parseJson } from "../core/json.ts";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import { egressProblem } from "../network/connect-problem.ts";
import { fetchOptions, type Outbound } from "../network/egress.ts";
import { shortLine } from "../printable.ts";
import { readTextIfPresent, reserveFile, writeFileAtomic } from "../state/atomic-file.ts";
import { waitForLock } from "../state/lock.ts";
import { type Credentials, type NewTokens, parseAuthFile, Token, withNewTokens } from "./auth-file.ts";
import { authFileOf } from "./homes.ts";
import { RENEWAL_LOCK } from "./leftovers.ts";
import { ALONE, type RenewalTurns, type TurnOutcome } from "./renewal-turns.ts";

/** Codex's public client id, which the accounts' tokens were issued to. */
export const CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann";
/** Extra room, because new tokens can be longer than the ones they replace. */
const ROOM_FOR_LONGER_BYTES = 16 * 1024;
const DEFAULT_TOKEN_URL = "https://auth.openai.com/oauth/token";

/** The token endpoint: `CODEXLB_TOKEN_URL`, else OpenAI's. */
export function tokenUrlOf({ env }: Pick<Deps, "env">): string {
  return env.CODEXLB_TOKEN_URL?.trim() || DEFAULT_TOKEN_URL;
}

export type Renewal =
  | { readonly kind: "renewed"; readonly credentials: Credentials }
  /** The login has ended, and only a new one helps. `reason` is the reason of the disablement. */
  | { readonly kind: "dead"; readonly reason: string; readonly why: string }
  /** A later renewal may succeed. */
  | { readonly kind: "failed"; readonly why: string };

export interface RefreshLane {
  /**
   * Renews the credentials in `homeDir` unless they are no longer those with `usedAccessToken`. Concurrent calls
   * share one refresh. `outboundProxy` is the account's own, if it has one. Never throws.
   */
  renew(homeDir: string, usedAccessToken: string, outboundProxy?: string): Promise<Renewal>;
  /** Tries again to write tokens that could not be written. */
  save(): void;
}

/**
 * What a request to the token endpoint brought. `rejected`: the login has ended. `failed`: a later request may succeed.
 */
export const REFRESH_RESULTS = ["renewed", "rejected", "failed"] as const;
export type RefreshResult = (typeof REFRESH_RESULTS)[number];

export interface RefreshSettings {
  readonly tokenUrl: string;
  readonly timeoutMs: number;
  readonly outbound: Pick<Outbound, "toBackend">;
}

/** `answered` is called after each request to the token endpoint. `turns`: by default this process is the only one. */
export function createRefreshLane(
  deps: Pick<Deps, "clock" | "log">,
  settings: () => RefreshSettings,
  answered: (result: RefreshResult) => void = () => {},
  turns: RenewalTurns = ALONE,
): RefreshLane {
  const running = new Map<string, Promise<Renewal>>();
  const lane: Lane = { deps, settings, answered, turns, unsaved: new Map() };
  return {
    renew: (homeDir, usedAccessToken, outboundProxy) => {
      const current = running.get(homeDir);
      if (current !== undefined) return current;
      const renewal = renewLocked(lane, { homeDir, usedAccessToken, outboundProxy })
        .catch((error): Renewal => ({ kind: "failed", why: messageOf(error) }))
        .finally(() => running.delete(homeDir));
      running.set(homeDir, renewal);
      return renewal;
    },
    save: () => {
      for (const homeDir of lane.unsaved.keys()) saveUnsaved(lane, homeDir);
    },
  };
}

// --- internal ---

interface Lane {
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly settings: () => RefreshSettings;
  readonly answered: (result: RefreshResult) => void;
  readonly turns: RenewalTurns;
  /** New auth.json texts that could not be written, by home: each contains the only refresh token that still works. */
  readonly unsaved: Map<string, { readonly text: string; readonly over: string }>;
}

interface RenewalRequest {
  readonly homeDir: string;
  readonly usedAccessToken: string;
  readonly outboundProxy: string | undefined;
}

async function renewLocked(lane: Lane, request: RenewalRequest): Promise<Renewal> {
  const { homeDir } = request;
  const { timeoutMs } = lane.settings();
  const lock = await waitForLock(join(homeDir, RENEWAL_LOCK), timeoutMs);
  if (lock === undefined)
    return { kind: "failed", why: `another process has been renewing ${homeDir} for ${timeoutMs} ms` };
  try {
    return await renewNow(lane, request);
  } finally {
    lock.release();
  }
}

async function renewNow(
  lane: Lane,
  { homeDir, usedAccessToken, outboundProxy }: RenewalRequest,
): Promise<Renewal> {
  const path = authFileOf(homeDir);
  const text = currentText(lane, homeDir);
  const before = parseAuthFile(text, path);
  if (before.accessToken !== usedAccessToken) return { kind: "renewed", credentials: before };
  if (before.refreshToken === undefined)
    return { kind: "dead", reason: "http-401", why: "there is no refresh token" };
  // A refresh token works only once, so room on disk for its successor is reserved before it is spent.
  const room = reserveFile(path, 2 * Buffer.byteLength(text) + ROOM_FOR_LONGER_BYTES);
  try {
    const turn = await lane.turns.begin(homeDir, text, lane.settings().timeoutMs);
    if (turn.kind === "replaced")
      return { kind: "renewed", credentials: parseAuthFile(currentText(lane, homeDir), path) };
    if (turn.kind !== "granted") return turn;
    let outcome: TurnOutcome = { kind: "failed" };
    try {
      const answer = await postRefresh(lane.settings(), before.refreshToken, outboundProxy);
      lane.answered(RESULTS[answer.kind]);
      if (answer.kind !== "tokens") {
        outcome = answer;
        return answer;
      }
      // A login that was placed there meanwhile stays, unless it is the one whose refresh token was just spent.
      const placed = placedSince(lane, homeDir, before);
      if (placed !== undefined) return { kind: "renewed", credentials: placed };
      const renewed = withNewTokens(text, path, answer.tokens, lane.deps.clock.now());
      outcome = { kind: "renewed", login: renewed };
      lane.unsaved.set(homeDir, { text: renewed, over: before.refreshToken });
      saveUnsaved(lane, homeDir, room.place);
      return { kind: "renewed", credentials: parseAuthFile(renewed, path) };
    } finally {
      await turn.end(outcome);
    }
  } finally {
    room.release();
  }
}

/** The current login of the home, if it is another one than `before`. */
function placedSince(lane: Lane, homeDir: string, before: Credentials): Credentials | undefined {
  try {
    const placed = parseAuthFile(currentText(lane, homeDir), authFileOf(homeDir));
    return placed.refreshToken === before.refreshToken ? undefined : placed;
  } catch {
    return undefined; // an unreadable file is not another login
  }
}

function currentText({ unsaved }: Lane, homeDir: string): string {
  return unsaved.get(homeDir)?.text ?? readTextIfPresent(authFileOf(homeDir)) ?? "";
}

function saveUnsaved(
  { deps, unsaved }: Lane,
  homeDir: string,
  write = (text: string) => writeFileAtomic(authFileOf(homeDir), text),
): void {
  const waiting = unsaved.get(homeDir);
  if (waiting === undefined) return;
  const path = authFileOf(homeDir);
  try {
    // The renewal of an old login must not overwrite another login that was installed since.
    const placed = parseAuthFile(readTextIfPresent(path) ?? "", path).refreshToken;
    if (placed === waiting.over) write(waiting.text);
    unsaved.delete(homeDir);
  } catch (error) {
    if (!existsSync(homeDir)) unsaved.delete(homeDir);
    else
      deps.log.warn(
        `${messageOf(error)}; the renewed login is kept in memory, and codexlb tries again to write it`,
      );
  }
}

const RESULTS: Readonly<Record<Answer["kind"], RefreshResult>> = {
  tokens: "renewed",
  dead: "rejected",
  failed: "failed",
};

type Answer = { readonly kind: "tokens"; readonly tokens: NewTokens } | Exclude<Renewal, { kind: "renewed" }>;

async function postRefresh(
  { tokenUrl, timeoutMs, outbound }: RefreshSettings,
  refreshToken: string,
  outboundProxy: string | undefined,
): Promise<Answer> {
  const egress = outbound.toBackend(tokenUrl, outboundProxy);
  try {
    const answer = await boundedFetch(
      tokenUrl,
      {
        ...fetchOptions(egress),
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          client_id: CLIENT_ID,
          grant_type: "refresh_token",
          refresh_token: refreshToken,
        }),
      },
      { limitBytes: TOKEN_ANSWER_BYTES, timeoutMs },
    );
    return answer.ok ? tokensOf(answer.text, tokenUrl) : refused(answer.status, answer.text);
  } catch (error) {
    const why = egressProblem(error, tokenUrl, egress);
    return { kind: "failed", why: `contacting ${tokenUrl}: ${why}` };
  }
}

const TokenAnswer = z.looseObject({
  access_token: Token,
  refresh_token: Token.optional(),
  id_token: Token.optional(),
});

function tokensOf(body: string, tokenUrl: string): Answer {
  const answer = TokenAnswer.safeParse(parseJson(body));
  if (!answer.success)
    return { kind: "failed", why: `the response of ${tokenUrl} has no usable access token` };
  const { access_token, refresh_token, id_token } = answer.data;
  return {
    kind: "tokens",
    tokens: { accessToken: access_token, refreshToken: refresh_token, idToken: id_token },
  };
}

/**
 * Refusals after which only a new login helps, whatever their status: the token endpoint's code, and the reason that
 * the account is disabled with.
 */
const DEAD: ReadonlyMap<string, string> = new Map([
  ["refresh_token_reused", "refresh-token-reused"],
  ["refresh_token_expired", "refresh-token-expired"],
  ["refresh_token_invalidated", "refresh-token-invalidated"],
  ["invalid_refresh_token", "refresh-token-invalidated"],
  ["invalid_grant", "invalid-grant"],
]);

/** Three tokens of a few kilobytes each. */
export const TOKEN_ANSWER_BYTES = 256 * 1024;
/** No real error code is longer. */
const LONGEST_CODE = 100;

const RefusalBody = z.looseObject({
  error: z
    .union([z.string(), z.looseObject({ code: z.string().nullish() })])
    .optional()
    .catch(undefined),
  code: z.string().optional().catch(undefined),
});

function refused(status: number, body: string): Answer {
  // The code can be in three places. Without a code only the status counts.
  const { error, code: flat } = RefusalBody.safeParse(parseJson(body)).data ?? {};
  const code = shortLine((typeof error === "string" ? error : error?.code) ?? flat ?? "", LONGEST_CODE);
  const reason = DEAD.get(code);
  const why = `the token endpoint returned ${status}${code === "" ? "" : ` ${code}`}`;
  if (reason !== undefined) return { kind: "dead", reason, why };
  // A 401 without a code means that this login is no longer accepted; a 400 without a code can mean anything.
  return status === 401 ? { kind: "dead", reason: "http-401", why } : { kind: "failed", why };
}

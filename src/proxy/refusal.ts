// The response to a request that no upstream could serve, in a form that Codex understands: a usage limit with the
// pool's earliest reset, or an error that says what to do. Never a 401, because Codex would then try to renew a token
// that belongs to the pool.

import { z } from "zod";
import { advised } from "../advice.ts";
import { requiredTagWords } from "../core/account-tags.ts";
import { headerValue, LONGEST_NAME, shortText } from "../core/bounds.ts";
import { ACTIVE_LIMIT, type Failure } from "../core/failure.ts";
import { ATTEMPTS_HEADER } from "../core/hops.ts";
import { parseJson } from "../core/json.ts";
import type { PooledUsage } from "../core/pooled.ts";
import { REACHED_TYPE } from "../core/quota-wire.ts";
import { eventType } from "../core/turn.ts";
import { CodexlbError, dataPlaneErrorBody, fullMessageOf } from "../errors.ts";
import { optionKey } from "../state/option-settings.ts";
import type { Shortage } from "../upstream/shortage.ts";
import type { ClientKind } from "./context.ts";

/** A refusal, independent of the transport. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  /** Seconds to wait, if waiting helps. */
  readonly retryAfterSeconds: number | undefined;
  /** JSON: `{"error": {…}}`, or only the message if Codex shows the body. */
  readonly body: string;
  /** The exhausted limit, unless it is the main one. */
  readonly limitId?: string | undefined;
  /** Why the workspace allows no more, in the backend's words. Codex explains it to its user. */
  readonly reachedType?: string | undefined;
  /** What Codex says about a usage limit, in place of an advertisement. */
  readonly notice?: string | undefined;
}

/**
 * The refusal for `shortage`. `limitBody` is the backend's own usage-limit response, if there was one. The client gets
 * all of it, except that the pool's earliest reset replaces its reset times.
 */
export function refusalFor(
  shortage: Shortage,
  about: {
    readonly limitBody: string | undefined;
    readonly usage: Pick<PooledUsage, "planType" | "reachedType">;
    readonly brokenWhy: string | undefined;
    readonly client: ClientKind;
  },
  nowMs: number,
): Refusal {
  switch (shortage.kind) {
    case "all_exhausted":
      return usageLimit(shortage, about, nowMs);
    case "no_accounts":
      if (tagWords(shortage) !== "")
        return unrepaired(
          about.client,
          "no_account_available",
          `no account has the tag ${tagWords(shortage)}, and the request accepts no other account`,
          `tag an account with: ${advised("account set", "ALIAS", "--tag", shortage.requiredTags?.[0]?.[0] ?? "TAG")}`,
        );
      return unrepaired(
        about.client,
        "no_accounts",
        "no account is enrolled",
        `run: ${advised("account login", "ALIAS")}, or: ${advised("account import")}`,
      );
    case "all_disabled":
      return unrepaired(
        about.client,
        "no_account_available",
        `no account ${withModel(shortage)}is in service: ${shortage.details.join(", ")}`,
        nextForDisabled(shortage),
      );
    case "all_tried":
      if (about.brokenWhy !== undefined)
        return refuse(
          "upstream_unreachable",
          about.brokenWhy,
          "check the network, then send the request again",
        );
      // Codex waits for an account that cools down for a moment. A limit would end the turn.
      if (shortage.coolingUntilMs === undefined && shortage.untilMs !== undefined)
        return usageLimit(shortage, about, nowMs);
      return refuse(
        "no_account_available",
        `no account ${withModel(shortage)}could serve the request: ${shortage.details.join(", ")}`,
        `run: ${advised("status")}`,
        retryAfterSeconds(shortage, nowMs),
      );
    default:
      return shortage.kind satisfies never;
  }
}

/**
 * The seconds after which the client should try again while upstreams are cooling down: until the first cooldown ends,
 * but at most 5 s, because each request may try one account before that. `isBackendTime`: the backend named the times,
 * so there is no maximum.
 */
export function retryAfterSeconds(
  { coolingUntilMs }: Shortage,
  nowMs: number,
  isBackendTime = false,
): number {
  if (coolingUntilMs === undefined) return SHORTEST_RETRY_SECONDS;
  const seconds = Math.max(SHORTEST_RETRY_SECONDS, Math.ceil((coolingUntilMs - nowMs) / 1000));
  return isBackendTime ? seconds : Math.min(LONGEST_RETRY_SECONDS, seconds);
}

/** A refusal as an HTTP response. */
export function refusalResponse(refusal: Refusal): Response {
  const type = refusal.body.startsWith("{") ? "application/json" : "text/plain; charset=utf-8";
  const headers = new Headers({ "content-type": type });
  if (refusal.retryAfterSeconds !== undefined) headers.set("retry-after", String(refusal.retryAfterSeconds));
  for (const [name, value] of Object.entries(limitHeaders(refusal))) headers.set(name, value);
  return new Response(refusal.body, { status: refusal.status, headers });
}

/**
 * A refusal as the error event of a WebSocket turn, with every field of its body. A body that is not a JSON object
 * becomes the error's message. Over WebSocket Codex waits only after a 429 with a duration, so every refusal after
 * which waiting helps becomes one.
 */
export function refusalEvent(refusal: Refusal): string {
  const { status, body, retryAfterSeconds: seconds } = refusal;
  const json = JsonObject.safeParse(parseJson(body));
  const fields = json.success ? json.data : messageFields(body);
  // First for log readers, and again last so that no field of the body can override them.
  const kind = { type: "error", status: seconds === undefined ? status : 429 };
  if (seconds === undefined) {
    const headers = limitHeaders(refusal);
    const named = Object.keys(headers).length === 0 ? {} : { headers };
    return JSON.stringify({ ...kind, ...fields, ...kind, ...named });
  }
  const error = JsonObject.safeParse(fields.error).data;
  return JSON.stringify({
    ...kind,
    ...fields,
    ...kind,
    error: { ...error, type: "rate_limit_exceeded", code: "rate_limit_exceeded" },
    headers: { "retry-after": String(seconds) },
  });
}

/** `event` with the number of attempts for the proxy in front. */
export function eventWithAttempts(event: string, attempts: number): string {
  const parsed = z.looseObject({ headers: z.looseObject({}).optional() }).safeParse(parseJson(event));
  if (!parsed.success || attempts === 0) return event;
  const headers = { ...parsed.data.headers, [ATTEMPTS_HEADER]: String(attempts) };
  return JSON.stringify({ ...parsed.data, headers });
}

/**
 * A failed turn's event for a client on a WebSocket. Codex ignores an error without a status and would wait for
 * minutes, so such an error gets status 500, after which Codex tries again.
 */
export function failureEvent(message: string, { status }: Pick<Failure, "status">): string {
  if (status !== undefined || eventType(message) !== "error") return message;
  return message.replace(/^\s*\{/, '{"status":500,');
}

/** One of our own errors as a refusal. */
export function refusalOfError(error: CodexlbError): Refusal {
  const { status, code, retryAfterSeconds } = error;
  return { status, code, retryAfterSeconds, body: JSON.stringify(dataPlaneErrorBody(error)) };
}

/**
 * A refusal that a retry does not change, with status 400: Codex then ends the turn immediately and shows the whole body,
 * so it gets only the message. After a 503 it would repeat the turn for half a minute. A proxy in front gets the error's
 * own status, because it returns a 400 to its client without trying another upstream.
 */
export function refuseForGood(client: ClientKind, error: CodexlbError): Refusal {
  const refusal = refusalOfError(error);
  if (client === "proxy") return refusal;
  return { ...refusal, status: 400, ...(client === "codex" ? { body: fullMessageOf(error) } : {}) };
}

/** The response for one of our own errors. */
export function errorResponse(error: CodexlbError): Response {
  const { retryAfterSeconds: seconds, status } = error;
  const headers = seconds === undefined ? {} : { "retry-after": String(seconds) };
  return Response.json(dataPlaneErrorBody(error), { status, headers });
}

// --- internal ---

/** The headers that name the exhausted limit, and the reason. */
function limitHeaders({ limitId, reachedType, notice }: Refusal): Record<string, string> {
  const values = { [ACTIVE_LIMIT]: limitId, [REACHED_TYPE]: reachedType, [NOTICE]: notice };
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, text]) => {
      const value = text === undefined ? undefined : headerValue(text);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** The header with a text that Codex shows in place of its own advice on a usage limit. */
const NOTICE = "x-codex-promo-message";

/** Errors that Codex explains to its user. */
const LIMIT_TYPES = ["usage_limit_reached", "usage_not_included"] as const;

const JsonObject = z.looseObject({});

/** Longest part of a plain-text error that is kept. */
const LONGEST_MESSAGE = 4_096;

function messageFields(body: string): Readonly<Record<string, unknown>> {
  return body === "" ? {} : { error: { message: shortText(body, LONGEST_MESSAGE) } };
}

/** What to do if all upstreams are out of service: first what a person can undo. */
function nextForDisabled({ ofAccounts, disabledByOperator, details }: Shortage): string {
  if (!ofAccounts) return `run: ${advised("doctor")}`;
  const [first] = disabledByOperator;
  const login = `log in again with: ${advised("account login", "ALIAS")}`;
  if (first === undefined)
    return `${login}, or enable an account with: ${advised("account enable", "ALIAS")}`;
  const enable = `enable an account with: ${advised("account enable", first)}`;
  return disabledByOperator.length === details.length ? enable : `${enable}, or ${login}`;
}

/** Names the model, if only some accounts have it, and the tags, if the request requires some. */
function withModel(shortage: Shortage): string {
  const { model } = shortage;
  const tags = tagWords(shortage);
  return `${tags === "" ? "" : `with the tag ${tags} `}${model === undefined ? "" : `that has ${shortText(model, LONGEST_NAME)} `}`;
}

/** The required tags: `work or home`; empty if the request requires none. */
function tagWords({ requiredTags = [] }: Pick<Shortage, "requiredTags">): string {
  return requiredTagWords(requiredTags);
}

/** A refusal for a pool that only a person can repair. */
function unrepaired(
  client: ClientKind,
  code: "no_accounts" | "no_account_available",
  message: string,
  next: string,
): Refusal {
  return refuseForGood(client, new CodexlbError(code, message, { next }));
}

const SHORTEST_RETRY_SECONDS = 1;
const LONGEST_RETRY_SECONDS = 5;

function usageLimit(
  shortage: Pick<Shortage, "untilMs" | "limitId" | "keptBack" | "requiredTags">,
  { limitBody, usage }: Pick<Parameters<typeof refusalFor>[1], "limitBody" | "usage">,
  nowMs: number,
): Refusal {
  const { untilMs, limitId, keptBack } = shortage;
  const tags = tagWords(shortage);
  const reached = `The usage limit ${tags === "" ? "" : `of the accounts with the tag ${tags} `}has been reached`;
  // Codex does not recognise other refusals, such as a 402, as a limit.
  const backend = z
    .looseObject({ error: z.looseObject({ type: z.enum(LIMIT_TYPES) }) })
    .safeParse(limitBody === undefined ? undefined : parseJson(limitBody));
  const inSeconds = untilMs === undefined ? undefined : Math.max(1, Math.ceil((untilMs - nowMs) / 1000));
  const error = {
    type: "usage_limit_reached",
    message: reached,
    plan_type: usage.planType,
    next: `wait for the reset, or add an account with: ${advised("account login", "ALIAS")}`,
    ...(backend.success ? backend.data.error : {}),
    ...(keptBack.length === 0
      ? {}
      : {
          message: `${reached}; the remaining quota of ${keptBack.map(({ alias }) => alias).join(", ")} is kept back by a floor`,
          next: `wait for the reset, ${floorRemedies(keptBack).join(", ")}, or pin a run to the account with: ${advised("run", "--account", "ALIAS")}`,
        }),
    ...(untilMs === undefined || inSeconds === undefined
      ? {}
      : { resets_at: Math.floor(untilMs / 1000), resets_in_seconds: inSeconds }),
  };
  return {
    status: 429,
    code: "usage_limit_reached",
    // No Retry-After, because the error itself has the time, and a client should not wait for hours.
    retryAfterSeconds: undefined,
    body: JSON.stringify({ ...(backend.success ? backend.data : {}), error }),
    limitId,
    reachedType: usage.reachedType,
  };
}

/** What removes the floors that any of `keptBack` has reached: a command, or an edit of config.toml. */
function floorRemedies(keptBack: Shortage["keptBack"]): string[] {
  const byCommand = keptBack.flatMap(({ floors, floorsInFile }) =>
    floors.filter((floor) => !floorsInFile.includes(floor)),
  );
  const flags = [...new Set(byCommand)].sort().flatMap((floor) => [`--floor-${floor}`, "none"]);
  const settings = keptBack.flatMap(({ alias, floorsInFile }) =>
    floorsInFile.map((floor) => optionKey(alias, `floor_${floor}`)),
  );
  return [
    ...(flags.length === 0 ? [] : [`remove the floor with: ${advised("account set", "ALIAS", ...flags)}`]),
    ...(settings.length === 0 ? [] : [`remove ${settings.join(" and ")} from config.toml`]),
  ];
}

function refuse(
  code: "no_accounts" | "no_account_available" | "upstream_unreachable",
  message: string,
  next: string,
  retryAfterSeconds?: number,
): Refusal {
  return { ...refusalOfError(new CodexlbError(code, message, { next })), retryAfterSeconds };
}

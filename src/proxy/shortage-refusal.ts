// The refusal of a request that no upstream could serve, so that Codex understands it: a usage limit with the pool's
// earliest reset, or an error that says what to do.

import { z } from "zod";
import type { Advise } from "../advice.ts";
import { requiredTagWords } from "../core/account-tags.ts";
import { headerValue, LONGEST_NAME, shortText } from "../core/bounds.ts";
import { parseJson } from "../core/json.ts";
import type { PooledUsage } from "../core/pooled.ts";
import { CodexlbError } from "../errors.ts";
import { optionKey } from "../state/option-settings.ts";
import type { Shortage } from "../upstream/shortage.ts";
import type { ClientKind } from "./context.ts";
import { type Refusal, refusalOfError, refuseForGood } from "./refusal.ts";

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
    /** True if turns no longer wait for a slot, because the proxy is shutting down. */
    readonly isStopping: boolean;
    readonly client: ClientKind;
    readonly advise: Advise;
  },
  nowMs: number,
): Refusal {
  const { advise } = about;
  switch (shortage.kind) {
    case "all_exhausted":
      return usageLimit(shortage, about, nowMs);
    case "no_accounts":
      if (tagWords(shortage) !== "")
        return unrepaired(
          about.client,
          "no_account_available",
          `no account has the tag ${tagWords(shortage)}, and the request accepts no other account`,
          `tag an account with: ${advise("account set", "ALIAS", "--tag", shortage.requiredTags?.[0]?.[0] ?? "TAG")}`,
        );
      return unrepaired(
        about.client,
        "no_accounts",
        "no account is enrolled",
        `run: ${advise("account login", "ALIAS")}, or: ${advise("account import")}`,
      );
    case "all_disabled":
      return unrepaired(
        about.client,
        "no_account_available",
        `no account ${withModel(shortage)}is in service: ${shortage.details.join(", ")}`,
        nextForDisabled(shortage, advise),
      );
    case "all_full": {
      if (about.brokenWhy !== undefined) return unreachable(about.brokenWhy);
      if (about.isStopping)
        return refuse(
          "shutting_down",
          `the proxy is shutting down, so the turn cannot wait for a full account: ${shortage.details.join(", ")}`,
          "send the turn again",
          LONGEST_RETRY_SECONDS,
        );
      const [alias = "ALIAS"] = shortage.full ?? [];
      return refuse(
        "no_account_available",
        `every account ${withModel(shortage)}that could serve the turn is full: ${shortage.details.join(", ")}`,
        `send the turn again when another one has ended, or raise the limit with: ${advise("account set", alias, "--concurrency", "N")}`,
        LONGEST_RETRY_SECONDS,
      );
    }
    case "all_tried":
      if (about.brokenWhy !== undefined) return unreachable(about.brokenWhy);
      // Codex waits for an account that cools down for a moment. A limit would end the turn.
      if (shortage.coolingUntilMs === undefined && shortage.untilMs !== undefined)
        return usageLimit(shortage, about, nowMs);
      return refuse(
        "no_account_available",
        `no account ${withModel(shortage)}could serve the request: ${shortage.details.join(", ")}`,
        `run: ${advise("status")}`,
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

// --- internal ---

/** Errors that Codex explains to its user. */
const LIMIT_TYPES = ["usage_limit_reached", "usage_not_included"] as const;

/** What to do if all upstreams are out of service: first what a person can undo. */
function nextForDisabled(
  { ofAccounts, disabledByOperator, refusedKeys = [], details }: Shortage,
  advise: Advise,
): string {
  if (!ofAccounts) return `run: ${advise("doctor")}`;
  const [disabled] = disabledByOperator;
  const [refused] = refusedKeys;
  const enable = (alias: string) => `enable an account with: ${advise("account enable", alias)}`;
  const steps: string[] = [];
  if (disabled !== undefined) steps.push(enable(disabled));
  if (refused !== undefined)
    steps.push(`replace the API key with: ${advise("account add-key", refused, "--key-stdin")}`);
  if (disabledByOperator.length + refusedKeys.length < details.length) {
    steps.push(`log in again with: ${advise("account login", "ALIAS")}`);
    if (disabled === undefined) steps.push(enable("ALIAS"));
  }
  return steps.join(", or ");
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
  shortage: Pick<Shortage, "untilMs" | "limitId" | "keptBack" | "requiredTags" | KeyPart>,
  { limitBody, usage, advise }: Pick<Parameters<typeof refusalFor>[1], "limitBody" | "usage" | "advise">,
  nowMs: number,
): Refusal {
  const { untilMs, limitId, keptBack } = shortage;
  const remedies = keyRemedies(shortage, advise);
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
    next: `wait for the reset, ${remedies}or add an account with: ${advise("account login", "ALIAS")}`,
    ...(backend.success ? backend.data.error : {}),
    ...(keptBack.length === 0
      ? {}
      : {
          message: `${reached}; the remaining quota of ${keptBack.map(({ alias }) => alias).join(", ")} is kept back by a floor`,
          next: `wait for the reset, ${remedies}${floorRemedies(keptBack, advise).join(", ")}, or pin a run to the account with: ${advise("run", "--account", "ALIAS")}`,
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
    notice: noticeOf(shortage, advise),
  };
}

/**
 * What Codex shows in addition to the reset, if a person can make an account serve before it. Codex adds `, or try again at
 * TIME`, and shows neither the message nor the next step of a usage limit.
 */
function noticeOf(shortage: Pick<Shortage, "keptBack" | KeyPart>, advise: Advise): string | undefined {
  const { keptBack, atCap, refusedKeys = [], unpriced } = shortage;
  const [capped] = atCap;
  const [refused] = refusedKeys;
  // A long command, such as one with a long root, has no room in a header.
  const within = (fact: string, remedy: string) => headerValue(`${fact}: ${remedy}`) ?? fact;
  if (refused !== undefined)
    return within(
      `The API refused the key of ${refused}`,
      `replace it with: ${advise("account add-key", refused, "--key-stdin")}`,
    );
  if (unpriced !== undefined)
    return within(
      `The model ${shortText(unpriced, LONGEST_NAME)} has no price, so no API key serves it`,
      "add its price to [prices] in config.toml",
    );
  if (capped !== undefined)
    return within(
      `The API key of ${capped} has reached its monthly cap`,
      `raise it with: ${advise("account set", capped, "--monthly-cap", "USD")}`,
    );
  if (keptBack.length === 0) return undefined;
  return within(
    `The remaining quota of ${keptBack.map(({ alias }) => alias).join(", ")} is kept back by a floor`,
    floorRemedies(keptBack, advise).join(", "),
  );
}

type KeyPart = "atCap" | "refusedKeys" | "unpriced";

/** What makes an API key serve: a higher cap, another key, or a price for the model. Each remedy ends with a comma. */
function keyRemedies({ atCap, refusedKeys = [], unpriced }: Pick<Shortage, KeyPart>, advise: Advise): string {
  const [capped] = atCap;
  const [refused] = refusedKeys;
  const remedies = [
    ...(capped === undefined
      ? []
      : [`raise the monthly cap with: ${advise("account set", capped, "--monthly-cap", "USD")}`]),
    ...(refused === undefined
      ? []
      : [
          `the API refused the key of ${refused}: replace it with: ${advise("account add-key", refused, "--key-stdin")}`,
        ]),
    ...(unpriced === undefined
      ? []
      : [
          `add a price for ${shortText(unpriced, LONGEST_NAME)} to [prices] in config.toml, because API keys serve no model without one`,
        ]),
  ];
  return remedies.map((remedy) => `${remedy}, `).join("");
}

/** What removes the floors that any of `keptBack` has reached: a command, or an edit of config.toml. */
function floorRemedies(keptBack: Shortage["keptBack"], advise: Advise): string[] {
  const byCommand = keptBack.flatMap(({ floors, floorsInFile }) =>
    floors.filter((floor) => !floorsInFile.includes(floor)),
  );
  const flags = [...new Set(byCommand)].sort().flatMap((floor) => [`--floor-${floor}`, "none"]);
  const settings = keptBack.flatMap(({ alias, floorsInFile }) =>
    floorsInFile.map((floor) => optionKey(alias, `floor_${floor}`)),
  );
  return [
    ...(flags.length === 0 ? [] : [`remove the floor with: ${advise("account set", "ALIAS", ...flags)}`]),
    ...(settings.length === 0 ? [] : [`remove ${settings.join(" and ")} from config.toml`]),
  ];
}

function unreachable(why: string): Refusal {
  return refuse("upstream_unreachable", why, "check the network, then send the request again");
}

function refuse(
  code: "no_accounts" | "no_account_available" | "upstream_unreachable" | "shutting_down",
  message: string,
  next: string,
  retryAfterSeconds?: number,
): Refusal {
  return { ...refusalOfError(new CodexlbError(code, message, { next })), retryAfterSeconds };
}

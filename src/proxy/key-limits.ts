// Enforces the limits of a client's key: each turn asks here before it is placed, over HTTP and on an open WebSocket.
// A refusal has the form after which Codex stops at once and shows it, or waits and sends the turn again.

import { advisedElsewhere } from "../advice.ts";
import type { ExpiredKey } from "../auth/access.ts";
import { remembered } from "../core/bounded-map.ts";
import { LONGEST_NAME, shortText } from "../core/bounds.ts";
import { counted } from "../core/count-words.ts";
import { membersOf, textAt } from "../core/json.ts";
import { countText, type KeyLimitProblem, type KeyLimits } from "../core/key-limits.ts";
import { shortDate, timeOfDay } from "../core/time-words.ts";
import { CodexlbError } from "../errors.ts";
import { isTurnPath } from "../upstream/paths.ts";
import { plainPath } from "./allowed-paths.ts";
import { clientKindOf, type IncomingRequest, type ProxyContext } from "./context.ts";
import { type Refusal, refusalOfError, refuseForGood } from "./refusal.ts";

/** Codex uses only a few paths. */
const MOST_PATHS = 256;

/** The limits of the key that let the request in; undefined if it has none, or if clients need no key. */
export function limitsOfClient({ holder }: Pick<IncomingRequest, "holder">): KeyLimits | undefined {
  return holder?.limiter?.limits();
}

/**
 * Counts a turn of a client. If the limits of its key do not allow it now, logs that and returns the refusal. `model`: the
 * only model that the turn names; undefined if it names none, or several. `isCounted`: false if it only prepares a
 * connection, or was counted before it waited.
 */
export function refusedByKey(
  { deps, events, counts, pool }: Pick<ProxyContext, "deps" | "events" | "counts" | "pool">,
  incoming: IncomingRequest,
  model: string | undefined,
  isCounted: boolean,
): Refusal | undefined {
  const { holder, requestId } = incoming;
  const problem = holder?.limiter?.begin(model, isCounted);
  if (problem === undefined) return undefined;
  const name = holder?.name ?? "";
  const nowMs = deps.clock.now();
  const error = errorOf(problem, name, nowMs);
  counts.refused(error.code);
  events.append("key.refused", {
    key: name,
    limit: problem.kind,
    req_id: requestId,
    ...(problem.kind === "model" ? { model: problem.model && shortText(problem.model, LONGEST_NAME) } : {}),
  });
  switch (problem.kind) {
    case "expired":
      return endedKeyRefusal(error, incoming);
    case "model":
      return refuseForGood(clientKindOf(incoming), error);
    case "tokens_per_day":
      return tokensRefusal(error, problem, pool.usage().planType, nowMs);
    case "tokens_unsure":
    case "rpm":
    case "rpm_unsure":
      return refusalOfError(error);
    default:
      return problem satisfies never;
  }
}

/** The error for a request with an expired key. */
export function keyExpired({ name, expiresMs }: ExpiredKey, nowMs: number): CodexlbError {
  const when = `${shortDate(expiresMs, nowMs)} at ${timeOfDay(expiresMs)}`;
  return new CodexlbError("key_expired", `the key ${name} expired on ${when}`, {
    next: `use another key, or extend this one on the proxy's machine with: ${advisedElsewhere("key set", name, "--expires", "30d")}`,
  });
}

/** The refusal of a request with a key that has expired or was removed. Codex repeats a 401, so it gets a 400. */
export function endedKeyRefusal(error: CodexlbError, request: Parameters<typeof clientKindOf>[0]): Refusal {
  const client = clientKindOf(request);
  return client === "codex" ? refuseForGood(client, error) : refusalOfError(error);
}

/** The only top-level `model` of the JSON object `text`; undefined if it names none, or different ones. */
export function onlyModelIn(text: string): string | undefined {
  let model: string | undefined;
  for (const member of membersOf(text)) {
    if (member.name !== "model") continue;
    const named = textAt(text, member);
    if (named === undefined || (model !== undefined && model !== named)) return undefined;
    model = named;
  }
  return model;
}

/** True if a backend could read `message`, which this proxy does not read as a turn, as one. */
export function mayHideTurn(message: string | Uint8Array): boolean {
  const text = typeof message === "string" ? message : new TextDecoder().decode(message);
  for (const member of membersOf(text))
    if (member.name === "type" && textAt(text, member) === "response.create") return true;
  return false;
}

/** True if a backend could read `path`, which this proxy does not read as the path of a turn, as one. */
export const mayHideTurnPath = remembered(MOST_PATHS, (path) => {
  const plain = plainPath(path);
  return !isTurnPath(path) && (plain === undefined || isTurnPath(plain));
});

/** The error for a request to such a path with a limited key. */
export function unclearPath(): CodexlbError {
  return new CodexlbError("path_refused", "keys with limits cannot use this spelling of the path", {
    next: "write the path without encoded characters or doubled slashes",
  });
}

// --- internal ---

function errorOf(problem: KeyLimitProblem, name: string, nowMs: number): CodexlbError {
  const raise = (flag: string, value: string) =>
    `change the limit on the proxy's machine with: ${advisedElsewhere("key set", name, flag, value)}`;
  switch (problem.kind) {
    case "expired":
      return keyExpired({ name, expiresMs: problem.expiresMs }, nowMs);
    case "model": {
      const { model, models } = problem;
      const allowed = models.join(", ");
      return new CodexlbError(
        "model_not_allowed",
        model === undefined
          ? `the key ${name} can only use certain models (${allowed}), and the request does not name exactly one`
          : `the key ${name} cannot use the model ${shortText(model, LONGEST_NAME)}; allowed: ${allowed}`,
        { next: `choose an allowed model, or ${raise("--models", "PATTERN,...")}` },
      );
    }
    case "tokens_per_day":
      return new CodexlbError(
        "key_tokens_used",
        `the key ${name} has used its ${countText(problem.tokensPerDay)} tokens for today`,
        { next: `wait until midnight in the proxy's time zone, or ${raise("--tokens-per-day", "N")}` },
      );
    case "tokens_unsure":
      return new CodexlbError(
        "key_rate_limited",
        `the key ${name} may have used its ${countText(problem.tokensPerDay)} tokens for today: turns in flight or other replicas may be using the rest`,
        {
          next: `wait ${problem.waitSeconds} s, or ${raise("--tokens-per-day", "N")}`,
          retryAfterSeconds: problem.waitSeconds,
        },
      );
    case "rpm":
    case "rpm_unsure":
      return new CodexlbError(
        "key_rate_limited",
        problem.kind === "rpm"
          ? `the key ${name} has reached its limit of ${counted(problem.turnsPerMinute, "turn")} per minute`
          : `the key ${name} may have reached its limit of ${counted(problem.turnsPerMinute, "turn")} per minute: other replicas may be using the rest`,
        {
          next: `wait ${problem.waitSeconds} s, or ${raise("--rpm", "N")}`,
          retryAfterSeconds: problem.waitSeconds,
        },
      );
    default:
      return problem satisfies never;
  }
}

/** Codex shows a usage limit with the time of its reset. It prints its own words around the text of `notice`. */
function tokensRefusal(
  error: CodexlbError,
  { resetMs }: KeyLimitProblem & { kind: "tokens_per_day" },
  planType: string,
  nowMs: number,
): Refusal {
  const body = {
    error: {
      type: "usage_limit_reached",
      code: error.code,
      message: error.message,
      plan_type: planType,
      resets_at: Math.floor(resetMs / 1000),
      resets_in_seconds: Math.max(1, Math.ceil((resetMs - nowMs) / 1000)),
      next: error.next,
    },
  };
  return {
    status: error.status,
    code: error.code,
    // No Retry-After, because the error itself has the time, and a client should not wait for hours.
    retryAfterSeconds: undefined,
    body: JSON.stringify(body),
    notice: `${error.message.replace(/^the/, "The")}: ask the owner of the proxy for more`,
  };
}

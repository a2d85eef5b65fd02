// Selects events of the event log by what they are about, and recognizes repetitions.

import { accountOf, eventWords } from "./event-words.ts";
import type { LogEvent } from "./log-event.ts";
import { levelOf } from "./log-level.ts";

/** True for the events that are wanted. Call it for the events in the order of the log. */
export type LogFilter = (event: LogEvent) => boolean;

/** True if the event is about the account with the alias or id `account`, or about a turn that left it. */
export function concernsAccount({ fields }: LogEvent, account: string): boolean {
  const { account_id: id, account_alias: alias, from } = fields;
  return (
    [id, alias, withoutPrefix(id)].includes(account) ||
    (from !== undefined && from === withoutPrefix(account))
  );
}

/** Selects the events of the requests of wanted sessions. Request numbers begin again when a proxy starts. */
export function sessionFilter(isWanted: (session: string) => boolean): LogFilter {
  const requests = new Set<unknown>();
  return ({ event, fields }) => {
    if (event === "proxy.started") requests.clear();
    if (typeof fields.session === "string" && isWanted(fields.session)) requests.add(fields.req_id);
    return fields.req_id !== undefined && requests.has(fields.req_id);
  };
}

/**
 * True if `event` says the same as `previous`, about another request. Codex sends several requests at the same time, and
 * each one reports the same switch or failure.
 */
export function isRepetition(event: LogEvent, previous: LogEvent | undefined): boolean {
  return previous !== undefined && contentOf(event) === contentOf(previous);
}

/**
 * True if both events are the same failure of the same account. Cooldowns get longer and longer, so their length does not
 * matter. A switch is no failure of an account.
 */
export function isSameFailure(event: LogEvent, previous: LogEvent): boolean {
  return isFailure(event) && failureOf(event) === failureOf(previous);
}

/**
 * True if another event reports the same for people. A socket moves to each account that a turn tries, and
 * `request.switched` names the one that served the turn.
 */
export function isTransportDetail({ event }: Pick<LogEvent, "event">): boolean {
  return event === "websocket.moved";
}

// --- internal ---

function contentOf({ event, fields: { req_id: _request, attempt: _attempt, ...fields } }: LogEvent): string {
  return JSON.stringify([event, fields]);
}

function isFailure(event: LogEvent): boolean {
  return event.event !== "request.switched" && ["error", "warn"].includes(levelOf(event));
}

function failureOf(event: LogEvent): string {
  const { what, details } = eventWords(event);
  const words = event.event.endsWith(".cooldown") ? "" : what;
  return JSON.stringify([event.event, accountOf(event), words, details]);
}

function withoutPrefix(id: unknown): unknown {
  return typeof id === "string" ? id.replace(/^openai:/, "") : undefined;
}

// Selects events of the event log by what they are about.

import type { LogEvent } from "./log-event.ts";

/** True for the events that are wanted. Call it for the events in the order of the log. */
export type LogFilter = (event: LogEvent) => boolean;

/** True if the event is about the account with the alias or id `account`. */
export function concernsAccount({ fields }: LogEvent, account: string): boolean {
  const { account_id: id, account_alias: alias } = fields;
  return [id, alias, withoutPrefix(id)].includes(account);
}

/** Selects the events of the requests of a session. Request numbers begin again when a proxy starts. */
export function sessionFilter(session: string): LogFilter {
  const requests = new Set<unknown>();
  return ({ event, fields }) => {
    if (event === "proxy.started") requests.clear();
    if (fields.session === session) requests.add(fields.req_id);
    return fields.req_id !== undefined && requests.has(fields.req_id);
  };
}

// --- internal ---

function withoutPrefix(id: unknown): unknown {
  return typeof id === "string" ? id.replace(/^openai:/, "") : undefined;
}

// An event of the event log in words for a person.

import { shortLine } from "../printable.ts";
import { durationText } from "./duration-text.ts";
import type { LogEvent } from "./log-event.ts";
import { reasonWords, type SwitchSummary, switchText, switchWords } from "./reason-words.ts";

export type ShownEvent = Pick<LogEvent, "event" | "fields">;

/** What happened, and the details that follow it with their separator; "" if there are none. */
export function eventWords(event: ShownEvent): { readonly what: string; readonly details: string } {
  const { what, shown } = wordsOf(event);
  const rest = Object.entries(event.fields)
    .filter(([name]) => !NAMES.has(name) && !shown.includes(name))
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const reason = shown.includes("reason") ? event.fields.reason : event.fields.error;
  const why = typeof reason === "string" && reason !== "" ? ` (${reason})` : "";
  return {
    what,
    details: why === "" && what === event.event && rest.length > 0 ? `  ${rest.join(" ")}` : why,
  };
}

/**
 * What happened and why, without the codes of the log: `cooling down for 2 min (backend error 503)`. `arrow` stands
 * between the accounts of a switch.
 */
export function eventText(event: ShownEvent, arrow: string): string {
  if (event.event === "request.switched") return switchText(switchOf(event), arrow);
  const { what, shown } = wordsOf(event);
  const { reason, error } = event.fields;
  const words = what === event.event ? what.replace(/^account\./, "") : what;
  const why = shown.includes("reason") ? reasonOf(reason) : typeof error === "string" ? error : "";
  return why === "" ? words : `${words} (${why})`;
}

/** The account or child proxy of the event, as people name it; `-` if it concerns none. */
export function accountOf({ fields }: Pick<LogEvent, "fields">): string {
  const name =
    fields.account_alias ?? fields.account_id ?? fields.proxy_name ?? fields.child_proxy_url ?? "-";
  return shortLine(String(name)).replace(/^openai:/, "");
}

/** `13:40:36`, with the date before it if it is another day. */
export function eventTime(ts: string, nowMs: number): string {
  const at = new Date(ts);
  if (Number.isNaN(at.getTime())) return shortLine(ts);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = (date: Date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
  return day(at) === day(new Date(nowMs)) ? time : `${day(at)} ${time}`;
}

// --- internal ---

function reasonOf(code: unknown): string {
  return typeof code === "string" ? reasonWords(code) : "";
}

/** The switch that a `request.switched` reports. */
function switchOf({ fields }: Pick<LogEvent, "fields">): SwitchSummary {
  const { from, to, reason, switch_reason: chosen, window } = fields;
  return {
    from: typeof from === "string" ? from : "another account",
    to: typeof to === "string" ? to : accountOf({ fields }),
    reason: String(reason ?? chosen),
    ...(typeof window === "string" ? { window } : {}),
  };
}

function switchLine(one: SwitchSummary): string {
  return `took over from ${one.from} (${switchWords(one)})`;
}

/** Fields that are shown elsewhere in the line. */
const NAMES: ReadonlySet<string> = new Set([
  ...["account_alias", "account_id", "proxy_name", "child_proxy_url", "error"],
]);

/** What happened in words, and the fields that these words contain. An event without words keeps its name. */
function wordsOf({ event, fields }: ShownEvent): {
  readonly what: string;
  readonly shown: readonly string[];
} {
  const seconds = Number(fields.cooldown_seconds);
  switch (event) {
    case "account.cooldown":
    case "child_proxy.cooldown":
      return { what: `cooling down for ${durationText(seconds)}`, shown: ["reason"] };
    case "account.disabled":
    case "child_proxy.disabled":
      return fields.reason === undefined
        ? { what: "disabled by you", shown: [] }
        : { what: "disabled", shown: ["reason"] };
    case "request.switched":
      return { what: switchLine(switchOf({ fields })), shown: [] };
    case "websocket.moved":
      return {
        what: `opened a connection in place of that of ${accountOf({ fields: { account_id: fields.from_account_id } })}`,
        shown: [],
      };
    case "websocket.handover":
      return { what: "asked the client to reconnect and send its whole history", shown: ["reason"] };
    case "request.transport_error":
      return { what: "connection failed", shown: [] };
    case "request.account_unready":
      return { what: "could not be used", shown: [] };
    case "account.auth_refresh_failed":
      return { what: "token refresh failed", shown: [] };
    case "quota.refresh_failed":
      return { what: "quota could not be read", shown: [] };
    case "usage.write_failed":
      return { what: "turns are not recorded", shown: [] };
    case "usage.write_resumed":
      return { what: "turns are recorded again", shown: [] };
    case "usage.file_set_aside":
      return { what: `the record of turns was unusable, and is now ${fields.path}`, shown: [] };
    case "request.failed":
      return { what: `a request was refused with status ${fields.status ?? "500"}`, shown: [] };
    default:
      return { what: event, shown: [] };
  }
}

// An event of the event log in words for a person.

import { shortLine } from "../printable.ts";
import { durationText } from "./duration-text.ts";
import type { LogEvent } from "./log-event.ts";
import { limitWords, type SwitchSummary, switchText, switchWords, windowReset } from "./reason-words.ts";

export type ShownEvent = Pick<LogEvent, "event" | "fields">;

/** What happened, and the details that follow it with their separator; "" if there are none. */
export function eventWords(event: ShownEvent): { readonly what: string; readonly details: string } {
  const { what, shown } = wordsOf(event);
  const why = whyOf(event, shown);
  if (why !== "") return { what, details: ` (${why})` };
  const rest = Object.entries(event.fields)
    .filter(([name]) => !NAMES.has(name))
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return { what, details: what === event.event && rest.length > 0 ? `  ${rest.join(" ")}` : "" };
}

/**
 * What happened and why, without the codes of the log: `cooling down for 2 min (backend error 503)`. `arrow` stands
 * between the accounts of a switch.
 */
export function eventText(event: ShownEvent, arrow: string): string {
  if (event.event === "request.switched") return switchText(switchOf(event), arrow);
  const { what, shown } = wordsOf(event);
  const words = what === event.event ? what.replace(/^account\./, "") : what;
  const why = whyOf(event, shown);
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

/** Why the event happened, in words; "" if that is unknown, or part of what happened. */
function whyOf({ event, fields }: ShownEvent, shown: readonly string[]): string {
  const { reason, error, window } = fields;
  if (shown.includes("reason")) {
    if (typeof reason !== "string") return "";
    return limitWords(reason, typeof window === "string" ? window : undefined);
  }
  if (typeof error !== "string") return "";
  return ERROR_CODES.has(event) ? error.replaceAll(/[-_]/g, " ") : error;
}

/** The events whose `error` is a code. */
const ERROR_CODES: ReadonlySet<string> = new Set([
  "account.redeem_failed",
  "request.failed",
  "websocket.failed",
]);

/** The switch that a `request.switched` reports. */
function switchOf({ fields }: Pick<LogEvent, "fields">): SwitchSummary {
  const { from, to, reason, switch_reason: chosen, window, replica } = fields;
  return {
    from: typeof from === "string" ? from : "another account",
    to: typeof to === "string" ? to : accountOf({ fields }),
    reason: String(reason ?? chosen),
    ...(typeof window === "string" ? { window } : {}),
    ...(typeof replica === "string" ? { replica } : {}),
  };
}

function switchLine({ replica, ...one }: SwitchSummary): string {
  const where = replica === undefined ? "" : ` on ${replica}`;
  return `took over from ${one.from}${where} (${switchWords(one)})`;
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
  switch (event) {
    case "account.cooldown":
    case "child_proxy.cooldown":
      return {
        what: `cooling down for ${durationText(Number(fields.cooldown_seconds))}`,
        shown: ["reason"],
      };
    case "account.disabled":
    case "child_proxy.disabled":
      return fields.reason === undefined
        ? { what: `disabled ${byYou(fields)}`, shown: [] }
        : { what: "disabled", shown: ["reason"] };
    case "websocket.handover":
      return { what: "Codex reconnects to continue on another account", shown: ["reason"] };
    default:
      return { what: SENTENCES[event]?.(fields) ?? event, shown: [] };
  }
}

const KEY_LIMITS: Readonly<Record<string, string>> = {
  expired: "it has expired",
  model: "it cannot use the model",
  tokens_per_day: "it has used its tokens for today",
  tokens_unsure: "it may have used its tokens for today",
  rpm: "it has reached its limit of turns per minute",
  rpm_unsure: "it may have reached its limit of turns per minute",
};

/** What happened, for each event whose reason is not a code. */
const SENTENCES: Readonly<Record<string, (fields: LogEvent["fields"]) => string>> = {
  "account.auth_refresh_failed": () => "token refresh failed",
  "account.changed": (fields) => `settings changed ${byYou(fields)}`,
  "account.draining": (fields) => `draining${elsewhere(fields, ", set")} (no new sessions)`,
  "account.enabled": (fields) => `enabled ${byYou(fields)}`,
  "account.imported": (fields) => `login enrolled${elsewhere(fields)}`,
  "account.pinned": (fields) => `pinned ${byYou(fields)}`,
  "account.redeem_failed": () => "spending a reset credit failed",
  "account.redeemed": ({ by }) => `spent a reset credit (${REDEEMERS[String(by)] ?? by})`,
  "account.removed": (fields) => `removed${elsewhere(fields)}`,
  "account.unpinned": (fields) => `pin removed ${byYou(fields)}`,
  "anchor.failed": () => "its 5h window could not be started",
  "anchor.sent": ({ tokens }) =>
    `started its 5h window${typeof tokens === "number" ? ` with a turn of ${tokens} tokens` : ""}`,
  "child_proxy.lost": () => "does not answer",
  "child_proxy.seen": () => "answers",
  "clock.set_back": ({ by_ms }) =>
    `the system clock was set back by ${durationText(Math.max(1, Math.round(Number(by_ms) / 1000)))}`,
  "cluster.degraded": ({ code }) =>
    code === "same_replica_twice"
      ? "another process is connected to the shared pool as this replica, which works with what it knows"
      : "the shared pool cannot be used; this replica works with what it knows",
  "cluster.recovered": ({ degraded_seconds }) =>
    `the shared pool can be used again after ${durationText(Number(degraded_seconds))}`,
  "cluster.records_failed": () => "records of turns could not be exchanged with the other replicas",
  "cluster.records_missing": ({ replica, records }) =>
    `${countWords(Number(records))} of turns and switches on ${replica} will be missing here, because the pool's server no longer has them`,
  "cluster.records_unknown": ({ records }) =>
    `ignored ${countWords(Number(records))} of turns and switches that a later version of codexlb sent`,
  "config.reload_failed": () => "config.toml is invalid, so the last valid settings stay in effect",
  "config.reloaded": ({ policy_mode, upstream_base_url }) =>
    `reloaded config.toml; policy ${policy_mode}, backend ${upstream_base_url}`,
  "connections.limited": ({ open_files, limit }) =>
    `too many connections: ${open_files} of ${limit} file descriptors are open`,
  "key.refused": ({ key, limit, model }) =>
    `refused a turn of the key ${key}: ${KEY_LIMITS[String(limit)] ?? limit}${typeof model === "string" ? ` ${model}` : ""}`,
  "log.write_resumed": ({ dropped }) => `this log can be written again; events lost: ${dropped}`,
  "notify.failed": ({ way }) => `the ${way} notification failed`,
  "notify.sent": ({ way }) => `sent a ${way} notification`,
  "proxy.error": () => "the proxy failed",
  "proxy.started": ({ listen, upstream }) => `started on ${listen}, backend ${upstream}`,
  "proxy.stopping": ({ signal }) => `shutting down (${signal})`,
  "quota.refresh_failed": () => "quota could not be read",
  "request.account_unready": () => "could not be used",
  "request.failed": ({ status = 500, method, path, client }) =>
    `${method === undefined ? "a request" : `${method} ${path}`}${client === undefined ? "" : ` from ${CLIENTS[String(client)] ?? client}`} was refused with status ${status}`,
  "request.retry_denied": () => "no other account was tried, because too many requests are being retried",
  "request.queue_ended": ({ reason, waited_seconds }) =>
    reason === "placed"
      ? `a turn got a slot after ${durationText(Number(waited_seconds))}`
      : `a turn stopped waiting for a slot after ${durationText(Number(waited_seconds))}: ${WAIT_ENDS[String(reason)] ?? reason}`,
  "request.queued": ({ wait_seconds }) =>
    `a turn waits up to ${durationText(Number(wait_seconds))} for a slot, because every account that could serve it is full`,
  "request.resumed": ({ waited_seconds }) => `a turn continues after ${durationText(Number(waited_seconds))}`,
  "request.wait_ended": ({ reason, waited_seconds }) =>
    `a turn stopped waiting after ${durationText(Number(waited_seconds))}: ${WAIT_ENDS[String(reason)] ?? reason}`,
  "request.waiting": ({ wait_seconds, window }) =>
    `a turn waits up to ${durationText(Number(wait_seconds))} for ${typeof window === "string" ? `the ${windowReset(window)}` : "a reset"}`,
  "request.switched": (fields) => switchLine(switchOf({ fields })),
  "request.transport_error": () => "connection failed",
  "run.bypassed": () => "a run bypassed this proxy",
  "usage.file_set_aside": ({ path }) => `the usage database was unusable; moved it to ${path}`,
  "usage.write_failed": () => "turns are not recorded",
  "usage.write_resumed": () => "turns are recorded again",
  "websocket.failed": (fields) =>
    REFUSED_CODES.has(String(fields.error)) ? refusedSession(fields) : unopenedSocket(fields),
  "websocket.moved": ({ from_account_id }) =>
    `opened a connection, replacing ${accountOf({ fields: { account_id: from_account_id } })}'s connection`,
};

/** `by you`, and where if it was on another replica: `by you on office`. */
function byYou(fields: LogEvent["fields"]): string {
  return `by you${elsewhere(fields)}`;
}

/** ` on office`, after `before`, for a change that was made on another replica; "" for one that was made here. */
function elsewhere({ by, replica }: LogEvent["fields"], before = ""): string {
  if (by !== "replica") return "";
  return `${before} on ${typeof replica === "string" ? replica : "another replica"}`;
}

function countWords(records: number): string {
  return records === 1 ? "1 record" : `${records} records`;
}

/** Who spent a reset credit. */
const REDEEMERS: Readonly<Record<string, string>> = {
  auto: "policy.auto_redeem",
  codex: "by you, in Codex",
  command: "by you",
};

/** The errors of a WebSocket that no account can serve. */
const REFUSED_CODES: ReadonlySet<string> = new Set([
  "no_account_available",
  "no_accounts",
  "usage_limit_reached",
]);

function refusedSession({ required_tags: tags, pinned_to: account }: LogEvent["fields"]): string {
  const refused = "a session was refused because";
  if (typeof account === "string") return `${refused} its run is pinned to ${account}, which cannot serve`;
  return `${refused} no account${typeof tags === "string" ? ` with the tag ${tags}` : ""} can serve`;
}

function unopenedSocket({ required_tags: tags, pinned_to: account }: LogEvent["fields"]): string {
  const target = typeof tags === "string" ? ` to an account with the tag ${tags}` : "";
  const run = typeof account === "string" ? ` for a run that is pinned to ${account}` : "";
  return `no WebSocket could be opened${target}${run}`;
}

/** Why a turn stopped waiting without an account. */
const WAIT_ENDS: Readonly<Record<string, string>> = {
  client_left: "the client disconnected",
  expired: "the maximum wait was reached",
  not_full: "no account that could serve it is full any more",
  no_reset: "no account has a reset in time",
  shutting_down: "the proxy is shutting down",
  wait_disabled: "proxy.wait_for_reset was set to off",
};

/** Clients in words. */
const CLIENTS: Readonly<Record<string, string>> = {
  codex: "Codex",
  other: "another client",
  proxy: "a proxy in front",
};

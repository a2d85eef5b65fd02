// How much each event of the event log matters. Without other imports, because the dashboard's page uses it, too.

import type { LogEvent } from "./log-event.ts";

/** From the most to the least important. `debug` is what happens all the time. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** How much the event matters to the operator. */
export function levelOf({ event, fields }: Pick<LogEvent, "event" | "fields">): LogLevel {
  // The operator's own change has no reason.
  if (event.endsWith(".disabled")) return fields.reason === undefined ? "info" : "error";
  if (event === "websocket.failed") return fields.error === "use_http" ? "debug" : "error";
  return LEVELS.get(event) ?? "info";
}

// --- internal ---

/**
 * Changes by the operator, and events of other versions, are `info`. A handover is `debug`: the failure before it and the
 * switch after it say the same.
 */
const LEVELS: ReadonlyMap<string, LogLevel> = new Map(
  Object.entries({
    error: ["request.failed", "proxy.error", "config.reload_failed", "account.auth_refresh_failed"],
    warn: [
      ...["account.cooldown", "child_proxy.cooldown", "child_proxy.lost", "quota.refresh_failed"],
      ...["request.switched", "request.transport_error", "request.account_unready", "request.retry_denied"],
      ...["websocket.moved", "connections.limited", "clock.set_back"],
      ...["notify.failed", "run.bypassed", "anchor.failed", "key.refused"],
      "account.redeem_failed",
      ...["usage.write_failed", "usage.file_set_aside", "log.write_resumed", "cluster.degraded"],
      ...["cluster.records_failed", "cluster.records_missing", "cluster.records_unknown"],
    ],
    debug: [
      ...["request.received", "request.account_selected", "request.child_selected", "request.completed"],
      ...[
        "request.canceled",
        "request.refused",
        "websocket.handover",
        "websocket.account_selected",
        "websocket.completed",
      ],
      ...["account.auth_refreshed", "quota.refreshed", "catalogue.changed", "catalogue.failed"],
      "config.reload_watcher_started",
    ],
  } as const).flatMap(([level, events]) => events.map((event) => [event, level as LogLevel] as const)),
);

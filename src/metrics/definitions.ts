// Every metric: its name, type and labels, and what it means. docs/metrics.md has the same list. Names follow the
// Prometheus conventions: base units, `_total` for counters, and the usual `process_` metrics of a process.
//
// No label has a value that clients or upstreams choose freely, so the number of time series stays small.

export interface MetricDefinition {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly labels: readonly string[];
  readonly help: string;
  /** The bounds of a histogram, seconds. */
  readonly bounds?: readonly number[];
}

export type MetricId = keyof typeof METRICS;

/** `account` or `proxy` is set, never both. */
const UPSTREAM = ["account", "proxy"] as const;

export const METRICS = {
  requests: {
    name: "codexlb_requests_total",
    type: "counter",
    labels: ["answered_by", "status"],
    help: "Requests from clients that got a response, by who answered (upstream, or proxy: codexlb itself) and by the class of its status (1xx: a WebSocket was opened).",
  },
  requestsInFlight: {
    name: "codexlb_requests_in_flight",
    type: "gauge",
    labels: UPSTREAM,
    help: "Requests and turns that use an upstream now.",
  },
  refusals: {
    name: "codexlb_refusals_total",
    type: "counter",
    labels: ["reason"],
    help: "Requests that codexlb refused before it used an upstream, by error code. unauthorized, key_role_refused and admin_role_required: a missing or wrong key, or one without the required role.",
  },
  handshakeRefusals: {
    name: "codexlb_websocket_refusals_total",
    type: "counter",
    labels: ["reason"],
    help: "WebSockets that codexlb refused because no upstream could take them, by error code. use_http: Codex sends its turns over HTTP instead. After any other code, the turn for which Codex opened the WebSocket counts as refused in codexlb_turns_total.",
  },
  turns: {
    name: "codexlb_turns_total",
    type: "counter",
    labels: ["outcome", "transport", "kind"],
    help: "Turns that ended, by outcome (completed, incomplete, failed, cut, aborted, refused; moved: the turn continues on another connection, and counts there again), transport (sse, websocket) and kind (turn, prewarm, compaction, anchor).",
  },
  turnsInFlight: {
    name: "codexlb_turns_in_flight",
    type: "gauge",
    labels: [],
    help: "Turns in progress, including those that wait for a reset or for a slot.",
  },
  turnsWaiting: {
    name: "codexlb_turns_waiting",
    type: "gauge",
    labels: [],
    help: "Turns that wait for a reset, because every account is exhausted (proxy.wait_for_reset, or --wait of a run).",
  },
  turnsQueued: {
    name: "codexlb_turns_queued",
    type: "gauge",
    labels: [],
    help: "Turns that wait for a slot, because every account that could serve them has as many concurrent turns as its option concurrency allows.",
  },
  turnOverhead: {
    name: "codexlb_turn_overhead_seconds",
    type: "histogram",
    labels: ["transport"],
    help: "Time that codexlb adds to a turn: from receiving the complete request until sending it to the first upstream, including the renewal of a token.",
    bounds: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
  },
  turnFirstOutput: {
    name: "codexlb_turn_first_output_seconds",
    type: "histogram",
    labels: ["transport"],
    help: "Time from the start of a turn to its first output, including failed attempts.",
    bounds: [0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120],
  },
  turnDuration: {
    name: "codexlb_turn_duration_seconds",
    type: "histogram",
    labels: ["transport"],
    help: "Time from the start of a turn to its end, however it ended.",
    bounds: [0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600, 1200],
  },
  attempts: {
    name: "codexlb_attempts_total",
    type: "counter",
    labels: ["purpose", "result", ...UPSTREAM],
    help: "Requests sent to upstreams, by purpose (turn, handshake of a WebSocket, other) and result (served, client_error, limit, cooldown, elsewhere, login_ended, foreign_ciphertext, connection, unready, aborted). cooldown: a failure after which the upstream cools down. elsewhere: a failure after which only this request goes to another upstream. unready: the request could not be prepared, for example because no token could be renewed.",
  },
  retriesDenied: {
    name: "codexlb_retries_denied_total",
    type: "counter",
    labels: [],
    help: "Retries that the retry budget did not allow.",
  },
  switches: {
    name: "codexlb_switches_total",
    type: "counter",
    labels: ["reason", "window"],
    help: "Switches (turns not served by the account or child proxy of the session's previous turn), by reason, and by the exhausted window if that is the reason. In a session's first turn, a failover counts.",
  },
  tokens: {
    name: "codexlb_tokens_total",
    type: "counter",
    labels: ["type", ...UPSTREAM],
    help: "Tokens that turns used, as upstreams report them. input includes cached_input, and output includes reasoning.",
  },
  accountUsable: {
    name: "codexlb_account_usable",
    type: "gauge",
    labels: ["account"],
    help: "1 if the account can take new sessions now, otherwise 0.",
  },
  accountState: {
    name: "codexlb_account_state",
    type: "gauge",
    labels: ["account", "state", "reason"],
    help: "1 for the account's current state (ready, probing, credits, at_floor, exhausted, last_resort, cooling, limit_reached, kept_back, draining, disabled), with the reason for at_floor, kept_back, cooling, limit_reached and disabled, and for draining accounts that are also in one of these states.",
  },
  accountQuota: {
    name: "codexlb_account_quota_remaining_ratio",
    type: "gauge",
    labels: ["account", "window"],
    help: "What is left of the account's main limit, 0 to 1, by window (daily: about 5 hours, weekly, monthly). Absent while unknown.",
  },
  apiKeySpent: {
    name: "codexlb_api_key_spent_usd",
    type: "gauge",
    labels: ["account"],
    help: "What the account's API key has spent this month, in USD, according to the tokens that the API reported.",
  },
  apiKeyCap: {
    name: "codexlb_api_key_cap_usd",
    type: "gauge",
    labels: ["account"],
    help: "The monthly cap of the account's API key, in USD; 0 if none is set.",
  },
  accountReset: {
    name: "codexlb_account_quota_reset_timestamp_seconds",
    type: "gauge",
    labels: ["account", "window"],
    help: "When the window of the account's main limit is reset, Unix time. Absent while unknown.",
  },
  accountResetCredits: {
    name: "codexlb_account_reset_credits",
    type: "gauge",
    labels: ["account"],
    help: "How many saved resets of its limits the account can spend. Absent while unknown.",
  },
  cooldowns: {
    name: "codexlb_cooldowns_total",
    type: "counter",
    labels: ["reason", ...UPSTREAM],
    help: "Cooldowns that began, by reason.",
  },
  tokenRefreshes: {
    name: "codexlb_token_refreshes_total",
    type: "counter",
    labels: ["result"],
    help: "Token refreshes for accounts, by result (renewed, rejected: the login has ended, failed).",
  },
  clusterConnected: {
    name: "codexlb_cluster_connected",
    type: "gauge",
    labels: [],
    help: "1 if this replica can use its pool, otherwise 0. This and the other codexlb_cluster metrics are absent for a proxy that works alone.",
  },
  clusterDegraded: {
    name: "codexlb_cluster_degraded_seconds",
    type: "gauge",
    labels: [],
    help: "How long this replica has been unable to use its pool; 0 while it can.",
  },
  clusterDuplicate: {
    name: "codexlb_cluster_duplicate",
    type: "gauge",
    labels: [],
    help: "1 if this replica cannot use its pool because another process is connected as the same replica, probably on a copy of its root; otherwise 0.",
  },
  clusterPending: {
    name: "codexlb_cluster_pending_changes",
    type: "gauge",
    labels: [],
    help: "Changes of accounts, keys and the pin that were made on this replica and that the server does not have yet.",
  },
  clusterComparisons: {
    name: "codexlb_cluster_comparisons_total",
    type: "counter",
    labels: ["result"],
    help: "Comparisons of this replica with the server, by result (done, failed).",
  },
  clusterRenewals: {
    name: "codexlb_cluster_renewals_total",
    type: "counter",
    labels: ["outcome", "by"],
    help: "Renewals of logins, by outcome (renewed, rejected: the login has ended, failed) and by who sent the refresh token (self: this replica, replica: another one, from which this one got the result). A login that an operator replaced on another replica counts as renewed.",
  },
  childUsable: {
    name: "codexlb_child_proxy_usable",
    type: "gauge",
    labels: ["proxy"],
    help: "1 if the child proxy can take new sessions now, otherwise 0.",
  },
  childReachable: {
    name: "codexlb_child_proxy_reachable",
    type: "gauge",
    labels: ["proxy"],
    help: "1 if the child proxy answered the last status request, otherwise 0. Absent before the first answer.",
  },
  poolUpstreams: {
    name: "codexlb_pool_upstreams",
    type: "gauge",
    labels: [],
    help: "Accounts and child proxies of this proxy, excluding those that are disabled by the operator or draining.",
  },
  poolUsable: {
    name: "codexlb_pool_usable_upstreams",
    type: "gauge",
    labels: [],
    help: "Those of codexlb_pool_upstreams that can take new sessions now.",
  },
  poolQuota: {
    name: "codexlb_pool_quota_remaining_ratio",
    type: "gauge",
    labels: ["window"],
    help: "What is left of the main limits of all accounts, those of child proxies included, 0 to 1, by window. Absent while unknown.",
  },
  logLag: {
    name: "codexlb_log_lag_seconds",
    type: "gauge",
    labels: [],
    help: "Age of the oldest event that is not written to the event log yet.",
  },
  logDropped: {
    name: "codexlb_log_dropped_events_total",
    type: "counter",
    labels: [],
    help: "Events that were dropped because the event log could not be written for too long.",
  },
  usageEnabled: {
    name: "codexlb_usage_record_enabled",
    type: "gauge",
    labels: [],
    help: "1 if turns are recorded in usage.db (usage.enabled), otherwise 0.",
  },
  usageFailing: {
    name: "codexlb_usage_record_failing",
    type: "gauge",
    labels: [],
    help: "1 while usage.db cannot be written, otherwise 0.",
  },
  usageDropped: {
    name: "codexlb_usage_record_dropped_turns_total",
    type: "counter",
    labels: [],
    help: "Turns that are missing from usage.db because it could not be written.",
  },
  usageLag: {
    name: "codexlb_usage_record_lag_seconds",
    type: "gauge",
    labels: [],
    help: "Age of the oldest turn that is not written to usage.db yet.",
  },
  spans: {
    name: "codexlb_trace_spans_total",
    type: "counter",
    labels: ["result"],
    help: "Trace spans, by result (sent, dropped). Only if turns are traced.",
  },
  loopDelay: {
    name: "codexlb_event_loop_delay_seconds",
    type: "histogram",
    labels: [],
    help: "How late timers run, sampled ten times a second from the first scrape on.",
    bounds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  },
  buildInfo: {
    name: "codexlb_build_info",
    type: "gauge",
    labels: ["version", "commit", "target"],
    help: "1, with the version of codexlb, its commit, and the platform it was built for.",
  },
  residentMemory: {
    name: "process_resident_memory_bytes",
    type: "gauge",
    labels: [],
    help: "Resident memory size.",
  },
  cpu: {
    name: "process_cpu_seconds_total",
    type: "counter",
    labels: [],
    help: "User and system CPU time spent.",
  },
  openDescriptors: {
    name: "process_open_fds",
    type: "gauge",
    labels: [],
    help: "Number of open file descriptors.",
  },
  mostDescriptors: {
    name: "process_max_fds",
    type: "gauge",
    labels: [],
    help: "Maximum number of open file descriptors.",
  },
  startTime: {
    name: "process_start_time_seconds",
    type: "gauge",
    labels: [],
    help: "When the process started, Unix time.",
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

/** The definition with this id. */
export function definitionOf(id: MetricId): MetricDefinition {
  return METRICS[id];
}

// What the proxy sends to the dashboard's page, in JSON.

import type { LogEvent } from "../core/log-event.ts";
import type { LogLevel } from "../core/log-level.ts";
import type { OptionSource } from "../core/option-words.ts";
import type { StatusAnswer } from "../core/status-schema.ts";
import type { TurnSwitch } from "../core/turn-record.ts";
import type { UsageReport } from "../core/usage-report.ts";
import type { UsageTimeline } from "../core/usage-timeline.ts";

/** The state of the proxy at one moment: the event `snapshot` of the stream. */
export interface Snapshot {
  /** Unix ms. */
  readonly atMs: number;
  readonly proxy: ProxyFacts;
  readonly status: StatusAnswer;
  /** The requests in flight, oldest first; at most `MOST_REQUESTS`. */
  readonly requests: readonly LiveRequest[];
  /** The most recently used sessions, the latest first. */
  readonly sessions: readonly RecentSession[];
  /** What is set for the proxy's own accounts, by their ids; none for an account without options. */
  readonly options: Readonly<Record<string, readonly OptionSource[]>>;
  /** Why accounts at their floor, or with a lower priority, do not get the next turn of a new session, by their ids. */
  readonly passedOver: Readonly<Record<string, string>>;
  /** How many turns have ended since the proxy started and are recorded. */
  readonly recordedTurns: number;
}

export interface ProxyFacts {
  readonly name: string;
  readonly version: string;
  readonly pid: number;
  /** Unix ms. */
  readonly startedMs: number;
}

export interface LiveRequest {
  readonly id: number;
  /** Alias or name of the account or child proxy. */
  readonly upstream: string;
  readonly session?: string | undefined;
  readonly model?: string | undefined;
  /** Unix ms. */
  readonly startedMs: number;
}

export interface RecentSession {
  readonly session: string;
  /** Alias or name of the account or child proxy that it stays with. */
  readonly upstream: string;
  /** True if only this one can decrypt the session's history. */
  readonly held: boolean;
}

/** One event of the log: the event `log` of the stream has a list of these, and its id is the offset after them. */
export interface ShownLogEvent extends LogEvent {
  readonly level: LogLevel;
}

/** `GET /_/settings`. */
export interface ShownSettings {
  readonly settings: readonly { readonly key: string; readonly value: unknown; readonly source: string }[];
}

/** The usage periods, as values of `codexlb usage --since`. */
export const USAGE_PERIODS = ["24h", "7d", "30d", "90d", "52w"] as const;
export type UsagePeriod = (typeof USAGE_PERIODS)[number];

/** What the usage is grouped by, as values of `codexlb usage --by`. */
export const USAGE_VIEWS = ["account", "model", "project", "session", "key", "proxy"] as const;
export type UsageView = (typeof USAGE_VIEWS)[number];

/** `GET /_/usage?since=PERIOD&by=VIEW`, and a parameter for each filter (`UsageFilters`). */
export interface UsageAnswer extends UsageTimeline {
  /** The report that `codexlb usage --json` prints. */
  readonly report: UsageReport;
  /**
   * When the parts of the timeline begin: hours as `2026-11-28T14:00`, or days as `2026-11-28`, in the time zone of the
   * proxy. The last part ends now.
   */
  readonly starts: readonly string[];
  /** The changes of the account within turns, the most frequent first; at most `MOST_SWITCHES`. */
  readonly switches: readonly (TurnSwitch & { readonly times: number })[];
  /** Why turns cannot be recorded now, and how many were lost. */
  readonly failure?: { readonly why: string; readonly dropped: number } | undefined;
}

/** `POST /_/account`. `alias` is absent for `unpin`. */
export interface AccountChange {
  readonly action: AccountAction;
  readonly alias?: string;
}

export const ACCOUNT_ACTIONS = ["pin", "unpin", "drain", "enable", "disable"] as const;
export type AccountAction = (typeof ACCOUNT_ACTIONS)[number];

/** The header with the session's second secret. */
export const CSRF_HEADER = "x-codexlb-csrf";

/** The most requests and sessions in a snapshot. */
export const MOST_REQUESTS = 200;
export const MOST_SESSIONS = 100;
/** The most kinds of switches in the usage. */
export const MOST_SWITCHES = 20;

// Selects events of the event log for `codexlb proxy logs`.

import { concernsAccount, type LogFilter, sessionFilter } from "../../core/event-filter.ts";
import { LOG_LEVELS, type LogLevel, levelOf } from "../../core/log-level.ts";
import { usage } from "../flags.ts";
import { timeFlag } from "../time-flag.ts";

/** The flags that select events. */
export interface FilterFlags {
  readonly all?: boolean | undefined;
  readonly account?: string | undefined;
  readonly session?: string | undefined;
  readonly since?: string | undefined;
  readonly level?: string | undefined;
}

/**
 * The filter of `flags`. Without `level` and `all`, it selects `byDefault` and what matters more. Throws `usage`.
 */
export function logFilter(flags: FilterFlags, byDefault: LogLevel, nowMs: number): LogFilter {
  const least = LOG_LEVELS.indexOf(levelFlag(flags, byDefault));
  const sinceMs = flags.since === undefined ? undefined : timeFlag(flags.since, "since", nowMs);
  const account = flags.account?.trim();
  const session = flags.session?.trim();
  const isOfSession = session === undefined ? undefined : sessionFilter((one) => one === session);
  return (event) => {
    // Always asked, because it remembers the requests of the session.
    const inSession = isOfSession?.(event) ?? true;
    if (!inSession || LOG_LEVELS.indexOf(levelOf(event)) > least) return false;
    if (sinceMs !== undefined && Date.parse(event.ts) < sinceMs) return false;
    return account === undefined || concernsAccount(event, account);
  };
}

/** True if flags select only some events. */
export function isFiltered({ account, session, since, level }: FilterFlags): boolean {
  return [account, session, since, level].some((flag) => flag !== undefined);
}

// --- internal ---

function levelFlag({ level, all }: FilterFlags, byDefault: LogLevel): LogLevel {
  if (level !== undefined) {
    const known = LOG_LEVELS.find((one) => one === level.trim());
    if (known !== undefined) return known;
    throw usage(`flag --level: ${JSON.stringify(level)} is not a level`, `levels: ${LOG_LEVELS.join(", ")}`);
  }
  return all ? "debug" : byDefault;
}

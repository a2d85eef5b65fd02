// Polls the usage endpoint in the background for accounts whose figures traffic does not report. Sends at most one
// request per account at a time, to a few accounts at once. Of the replicas of a pool, one polls each account.

import type { WorkLeases } from "../cluster/work-leases.ts";
import { chance, prolonged, spread } from "../core/jitter.ts";
import { parseJson } from "../core/json.ts";
import { quotaFromUsage } from "../core/quota-wire.ts";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import type { AccountRecord } from "../state/account-record.ts";
import type { EventLog } from "../state/events.ts";
import { noteSync } from "../state/record-figures.ts";
import type { Store } from "../state/store.ts";
import { askUpstream } from "./ask-upstream.ts";
import type { Pool } from "./pool.ts";
import { createRepeatedJob } from "./repeated-job.ts";
import type { ResetCreditReader } from "./reset-credits.ts";

export interface RefresherSettings {
  readonly intervalMs: number;
  readonly intervalMessages: number;
  readonly timeoutMs: number;
}

export interface Refresher {
  /** Polls all due accounts, now and every `TICK_MS`. */
  start(): void;
  stop(): void;
  /** Polls the account, due or not, unless a poll failed a moment ago. Never throws. */
  refresh(record: AccountRecord): Promise<void>;
  /**
   * Polls every account, due or not, unless its figures are only seconds old. Resolves to the failures when all have
   * responded or failed, at the latest after 15 s; accounts that have not responded by then count as failed.
   */
  refreshAll(): Promise<readonly RefreshFailure[]>;
}

/** An account whose figures could not be refreshed. */
export interface RefreshFailure {
  readonly alias: string;
  readonly why: string;
}

/** Time between two searches for due accounts. */
const TICK_MS = 15_000;
/** Every user of this machine can request fresh figures, so the backend is polled at most this often. */
const FORCED_INTERVAL_MS = 10_000;
/** The longest wait for all accounts. Requests that take longer continue in the background. */
const FORCED_WAIT_MS = 15_000;
/** Far more than a real response, which has one or two kilobytes. */
const ANSWER_LIMIT_BYTES = 1024 * 1024;
/** Accounts polled at the same time. */
const AT_ONCE = 4;
/** Pause after a first failure. It doubles with each further failure, up to the interval. */
const BACKOFF_MS = 15_000;

export interface RefresherContext {
  readonly deps: Pick<Deps, "clock" | "random" | "log">;
  readonly store: Store;
  readonly pool: Pick<Pool, "accountOf" | "learn" | "note" | "disable">;
  readonly events: EventLog;
  readonly settings: () => RefresherSettings;
  readonly resetCredits: Pick<ResetCreditReader, "noteUsage">;
  readonly leases: WorkLeases;
}

export function createRefresher(context: RefresherContext): Refresher {
  const { store, settings, leases } = context;
  const { clock, random, log } = context.deps;
  /** The polls in progress; each resolves to the problem, if there is one. */
  const asking = new Map<string, Promise<string | undefined>>();
  /** How late each account is polled next: from 0 (on time) to 1 (as late as possible). */
  const late = new Map<string, number>();
  const failures = new Map<string, { count: number; untilMs: number }>();

  const ask = (record: AccountRecord, force: boolean): Promise<string | undefined> => {
    const running = asking.get(record.id);
    if (running !== undefined) return running;
    const asked = askUsage(context, record, force)
      .then((problem) => {
        if (problem === undefined) failures.delete(record.id);
        else {
          backOff(record.id);
          leases.giveBack(jobOf(record));
        }
        return problem;
      })
      .finally(() => {
        asking.delete(record.id);
        late.set(record.id, chance(random));
      });
    asking.set(record.id, asked);
    return asked;
  };

  const backOff = (id: string): void => {
    const count = (failures.get(id)?.count ?? 0) + 1;
    const waitMs = Math.min(settings().intervalMs, BACKOFF_MS * 2 ** (count - 1));
    failures.set(id, { count, untilMs: clock.monotonic() + spread(waitMs, chance(random)) });
  };

  const backsOff = ({ id }: AccountRecord): boolean => (failures.get(id)?.untilMs ?? 0) > clock.monotonic();

  const due = (record: AccountRecord): boolean => {
    const nowMs = clock.now();
    if (!hasUsage(record) || record.health.kind === "disabled" || backsOff(record)) return false;
    const { intervalMs, intervalMessages } = settings();
    const waitMs = prolonged(intervalMs * leases.workers(), late.get(record.id) ?? 0);
    return nowMs - heardMs(record) >= waitMs || record.unheardTurns >= intervalMessages;
  };

  const { start, stop } = createRepeatedJob({
    clock,
    everyMs: TICK_MS,
    run: async () => {
      const found = store.state.accounts.filter(due);
      const own = await leases.take(found.map(jobOf), "shared");
      await inGroups(
        found.filter((record) => own.has(jobOf(record))),
        (record) => ask(record, false),
      );
    },
    failed: (error) =>
      log.warn(`polling the usage of the accounts: ${messageOf(error)}; codexlb tries again`),
  });

  return {
    start,
    stop,
    refresh: async (record) => {
      if (hasUsage(record) && !backsOff(record)) await ask(record, true);
    },
    refreshAll: async () => {
      const old = store.state.accounts.filter(
        (record) => hasUsage(record) && clock.now() - record.quotaSyncMs >= FORCED_INTERVAL_MS,
      );
      const failed = new Map(old.map(({ alias }) => [alias, NO_RESPONSE]));
      const asked = inGroups(old, async (record) => {
        const problem = await ask(record, true);
        if (problem === undefined) failed.delete(record.alias);
        else failed.set(record.alias, problem);
      });
      const waited = Promise.withResolvers<void>();
      const cancelWait = clock.after(FORCED_WAIT_MS, waited.resolve);
      await Promise.race([asked, waited.promise]);
      cancelWait();
      return [...failed].map(([alias, why]) => ({ alias, why }));
    },
  };
}

// --- internal ---

/** True for ChatGPT accounts: an API key has no usage endpoint. */
function hasUsage({ billing }: AccountRecord): boolean {
  return billing === undefined;
}

/** The job of polling the account. */
function jobOf({ id }: AccountRecord): string {
  return `usage/${id}`;
}

const NO_RESPONSE = `no response within ${FORCED_WAIT_MS / 1_000} s`;
const NOT_USAGE = "the response is not a usage object";

/** When traffic or the usage endpoint last listed all windows of the account. */
function heardMs({ quota: { main }, quotaSyncMs }: AccountRecord): number {
  return Math.max(quotaSyncMs, main.completeAsOfMs);
}

async function inGroups(
  records: readonly AccountRecord[],
  run: (record: AccountRecord) => Promise<unknown>,
): Promise<void> {
  for (let start = 0; start < records.length; start += AT_ONCE)
    await Promise.all(records.slice(start, start + AT_ONCE).map(run));
}

/** Polls an account once, with one renewal after a 401. Returns the problem; undefined if the figures arrived. */
async function askUsage(
  context: RefresherContext,
  record: AccountRecord,
  force: boolean,
): Promise<string | undefined> {
  const { pool, events, store } = context;
  const messages = store.state.messageCounter;
  // The figures count as old as the request, so a limit that arrives before the response is newer evidence.
  const nowMs = context.deps.clock.now();
  const answer = await fetchUsage(context, record);
  if (typeof answer === "string") {
    events.append("quota.refresh_failed", { account_id: record.id, error: answer, force });
    return answer;
  }
  const evidence = quotaFromUsage(answer.body, nowMs);
  if (evidence === undefined) {
    events.append("quota.refresh_failed", { account_id: record.id, error: NOT_USAGE, force });
    return NOT_USAGE;
  }
  noteSync(record, nowMs, messages);
  pool.learn(record.id, evidence);
  const { short, weekly } = evidence.main.windows;
  events.append("quota.refreshed", {
    account_id: record.id,
    daily_limit: short === undefined ? 0 : 100,
    daily_used: short?.usedPercent ?? 0,
    weekly_limit: weekly === undefined ? 0 : 100,
    weekly_used: weekly?.usedPercent ?? 0,
    force,
    last_sync_at_ms: nowMs,
  });
  await context.resetCredits.noteUsage(record, answer.body, nowMs);
  return undefined;
}

async function fetchUsage(
  context: RefresherContext,
  record: AccountRecord,
): Promise<{ readonly body: unknown } | string> {
  const upstream = context.pool.accountOf(record.id);
  if (upstream === undefined) return "the account was removed";
  const answer = await askUpstream(context, upstream, {
    path: "/wham/usage",
    search: "",
    headers: new Headers(),
    hops: [],
    bounds: { limitBytes: ANSWER_LIMIT_BYTES, timeoutMs: context.settings().timeoutMs },
    address: usageUrl,
  });
  if (typeof answer === "string") return answer;
  return answer.ok ? { body: parseJson(answer.text) } : `the usage endpoint returned ${answer.status}`;
}

/** A backend without `/backend-api` in its base URL has the usage endpoint at another path. */
function usageUrl(url: string): string {
  return url.includes("/backend-api/") ? url : url.replace(/\/wham\/usage$/, "/api/codex/usage");
}

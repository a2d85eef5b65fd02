// What the proxy has learned about the use of its accounts' windows: in memory, and in usage.db for the next start.

import type { ForecastAccount } from "../core/forecast/forecast-accounts.ts";
import { HOUR_MS, type MeterFigure, type MeterHistory, observed } from "../core/forecast/meter-history.ts";
import { type ByWindow, NO_WINDOWS } from "../core/windows.ts";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import {
  type MeterChange,
  type MeterKey,
  readMeters,
  rowsOf,
  type StoredMeter,
  writeMeters,
} from "../state/usage/meter-rows.ts";
import type { UsageStore } from "../state/usage/usage-store.ts";

/** An account with the histories of its windows. */
export interface KnownAccount {
  readonly account: ForecastAccount;
  readonly histories: ByWindow<MeterHistory>;
}

export interface MeterHistories {
  /**
   * Reads what an earlier process has learned, once. Returns undefined if that is done, otherwise a promise that
   * resolves when it is: a large file is read in parts between which requests run. `learn` needs the result.
   */
  read(): Promise<void> | undefined;
  /** Adds the figures of `accounts` to their histories. */
  learn(accounts: readonly ForecastAccount[]): KnownAccount[];
  /** Writes the histories that changed, if the last time was some minutes ago. */
  saveIfDue(): void;
  /** Writes them now, and stops reading. */
  stop(): void;
}

export interface MeterHistoriesContext {
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly usage: Pick<UsageStore, "change" | "reader">;
  /** True if codexlb may record use on disk. */
  readonly isRecording: () => boolean;
}

export function createMeterHistories({ deps, usage, isRecording }: MeterHistoriesContext): MeterHistories {
  const { clock, log } = deps;
  const meters = new Map<string, Meter>();
  let reading: Promise<void> | undefined;
  let isRead = false;
  let isStopped = false;
  let isFailing = false;
  let hasLearned = false;
  let savedMs = clock.monotonic();

  /** Forecasts work without the file, so a failure is only reported, once, and the next call tries again. */
  const attempt = <T>(what: string, work: () => T): T | undefined => {
    try {
      const result = work();
      isFailing = false;
      return result;
    } catch (error) {
      if (!isFailing)
        log.warn(
          `${what} the history of the accounts' use: ${messageOf(error)}; forecasts are less accurate until this works again`,
        );
      isFailing = true;
      return undefined;
    }
  };

  /** Returns true when nothing is left to read, or it cannot be read. */
  const readSome = (stored: Iterator<StoredMeter>): boolean =>
    attempt("reading", () => {
      for (let count = 0; count < METERS_AT_ONCE; count++) {
        const next = stored.next();
        if (next.done) {
          isRead = true;
          return true;
        }
        const { key, history } = next.value;
        meters.set(nameOf(key), { key, history, saved: history });
      }
      return false;
    }) ?? true;
  const read = (): Promise<void> | undefined => {
    if (reading !== undefined || isRead || !isRecording()) return reading;
    const stored = attempt("reading", () => {
      // Reading does not create the file.
      const database = usage.reader();
      return database === undefined ? [].values() : readMeters(database, clock.now());
    });
    if (stored === undefined || readSome(stored)) return undefined;
    const rest = async (): Promise<void> => {
      do await new Promise((resolve) => setImmediate(resolve));
      while (!isStopped && !readSome(stored));
      reading = undefined;
    };
    reading = rest();
    return reading;
  };

  const learnFigure = ({ key: account }: ForecastAccount, figure: MeterFigure): MeterHistory => {
    const { kind, plan } = figure;
    const key = { account, kind, plan };
    const name = nameOf(key);
    const meter = meters.get(name);
    const history = observed(meter?.history, figure, clock.now());
    if (meter === undefined) meters.set(name, { key, history, saved: undefined });
    else meter.history = history;
    return history;
  };

  const save = (): void => {
    savedMs = clock.monotonic();
    // Writing before reading would replace what an earlier process has learned.
    if (!isRead || !isRecording()) return;
    hasLearned = false;
    const changed = [...meters.values()].filter(isWorthSaving);
    if (changed.length === 0) return;
    const changes = changed.map(({ key, history, saved }): MeterChange => ({ key, history, saved }));
    const isWritten = attempt("writing", () =>
      usage.change(rowsOf(changes), (database) => {
        writeMeters(database, changes);
        return true;
      }),
    );
    if (isWritten) for (const meter of changed) meter.saved = meter.history;
    else hasLearned = true;
  };

  return {
    read,
    learn: (accounts) => {
      hasLearned = true;
      return accounts.map((account) => {
        let histories: ByWindow<MeterHistory> = NO_WINDOWS;
        for (const figure of account.figures)
          histories = { ...histories, [figure.kind]: learnFigure(account, figure) };
        return { account, histories };
      });
    },
    saveIfDue: () => {
      if (hasLearned && clock.monotonic() - savedMs >= SAVE_MS) save();
    },
    stop: () => {
      isStopped = true;
      save();
    },
  };
}

// --- internal ---

interface Meter {
  readonly key: MeterKey;
  history: MeterHistory;
  saved: MeterHistory | undefined;
}

/** Reading so many histories takes a few milliseconds. */
const METERS_AT_ONCE = 20;
/** A killed process loses nothing: what was used meanwhile is the difference to the figures that were saved. */
const SAVE_MS = 5 * 60_000;
/** The time of a figure alone is written this often. */
const TIME_ALONE_MS = HOUR_MS;

function nameOf({ account, kind, plan }: MeterKey): string {
  return `${account}\0${kind}\0${plan}`;
}

function isWorthSaving({ history, saved }: Meter): boolean {
  if (saved === undefined) return true;
  return (
    history.points !== saved.points ||
    history.closed !== saved.closed ||
    history.usedPercent !== saved.usedPercent ||
    Math.abs(history.asOfMs - saved.asOfMs) >= TIME_ALONE_MS
  );
}

// Keeps how much of their windows the accounts use, and forecasts when they are exhausted. Everything happens in the
// background: requests do not wait for it, and the status shows the last forecast.

import { accountForecast } from "../core/forecast/account-forecast.ts";
import type { WindowForecast } from "../core/forecast/forecast.ts";
import { type ForecastAccount, forecastAccounts } from "../core/forecast/forecast-accounts.ts";
import { HOUR_MS, type MeterFigure, type MeterHistory, observed } from "../core/forecast/meter-history.ts";
import { type ForecastMember, poolForecast } from "../core/forecast/pool-forecast.ts";
import type { Forecasts } from "../core/forecast/status-forecast.ts";
import { type ByWindow, mapWindows, NO_WINDOWS } from "../core/windows.ts";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import {
  type MeterChange,
  type MeterKey,
  readMeters,
  rowsOf,
  writeMeters,
} from "../state/usage/meter-rows.ts";
import type { UsageStore } from "../state/usage/usage-store.ts";
import type { Pool } from "./pool.ts";

export interface Forecaster {
  /** The last forecasts; undefined until there are some. */
  current(): Forecasts | undefined;
  start(): void;
  /** Writes what was learned, and stops. */
  stop(): void;
}

export interface ForecasterContext {
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly pool: Pick<Pool, "facts" | "view">;
  readonly usage: Pick<UsageStore, "change" | "reader">;
  /** True if codexlb may record use on disk. */
  readonly isRecording: () => boolean;
}

export function createForecaster({ deps, pool, usage, isRecording }: ForecasterContext): Forecaster {
  const { clock, log } = deps;
  const meters = new Map<string, Meter>();
  let forecasts: Forecasts | undefined;
  let cancel: (() => void) | undefined;
  let isRead = false;
  let isFailing = false;
  let isForecasting = false;
  let isStopped = false;
  let savedMs = clock.monotonic();
  let forecastMs = Number.NEGATIVE_INFINITY;
  let seen = { state: "", use: "" };

  /** Reads what an earlier process has learned, once. */
  const read = (): void => {
    if (isRead || !isRecording()) return;
    attempt("reading", () => {
      // Reading does not create the file.
      const database = usage.reader();
      const known = database === undefined ? [] : readMeters(database, clock.now());
      for (const { key, history } of known) meters.set(nameOf(key), { key, history, saved: history });
      isRead = true;
    });
  };
  const save = (): void => {
    savedMs = clock.monotonic();
    // Writing before reading would replace what an earlier process has learned.
    if (!isRead || !isRecording()) return;
    const changed = [...meters.values()].filter(isWorthSaving);
    if (changed.length === 0) return;
    const changes = changed.map(({ key, history, saved }): MeterChange => ({ key, history, saved }));
    attempt("writing", () => {
      const isWritten = usage.change(rowsOf(changes), (database) => {
        writeMeters(database, changes);
        return true;
      });
      if (isWritten) for (const meter of changed) meter.saved = meter.history;
    });
  };
  /** The forecast works without the file, so a failure is only reported, once, and the next look tries again. */
  const attempt = (what: string, work: () => void): void => {
    try {
      work();
      isFailing = false;
    } catch (error) {
      if (!isFailing)
        log.warn(
          `${what} the history of the accounts' use: ${messageOf(error)}; forecasts are less accurate until this works again`,
        );
      isFailing = true;
    }
  };

  const learn = (account: ForecastAccount): ByWindow<MeterHistory> => {
    let histories: ByWindow<MeterHistory> = NO_WINDOWS;
    for (const figure of account.figures)
      histories = { ...histories, [figure.kind]: learnFigure(account, figure) };
    return histories;
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

  const look = (): void => {
    if (isStopped) return;
    cancel = clock.after(LOOK_MS, look);
    read();
    const accounts = forecastAccounts(pool.facts(), pool.view());
    const members = accounts.map((account) => ({ account, histories: learn(account) }));
    if (clock.monotonic() - savedMs >= SAVE_MS) save();
    if (isForecasting) return;
    const now = { state: textOf(members, stateOf), use: textOf(members, useOf) };
    const ageMs = clock.monotonic() - forecastMs;
    const isDue = now.use === seen.use ? ageMs >= UNCHANGED_MS : ageMs >= gapFor(members.length);
    if (now.state === seen.state && !isDue) return;
    seen = now;
    forecastMs = clock.monotonic();
    isForecasting = true;
    void forecast(members)
      .catch((error) => log.warn(`making a forecast: ${messageOf(error)}; turns are not affected`))
      .finally(() => {
        isForecasting = false;
      });
  };
  const forecast = async (members: readonly KnownAccount[]): Promise<void> => {
    const nowMs = clock.now();
    const accounts = new Map<string, readonly WindowForecast[]>();
    const options = { nowMs, futures: futuresFor(members.length) };
    for (const { account, histories } of members) {
      if (account.inService)
        accounts.set(account.key, accountForecast(account.summary.windows, histories, options));
      await otherWork();
    }
    const pooling = poolForecast(members.map(memberOf), options);
    let step = pooling.next();
    for (; !step.done; step = pooling.next()) await otherWork();
    forecasts = { accounts, pool: step.value };
  };

  return {
    current: () => forecasts,
    start: () => {
      cancel = clock.after(FIRST_LOOK_MS, look);
    },
    stop: () => {
      isStopped = true;
      cancel?.();
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

interface KnownAccount {
  readonly account: ForecastAccount;
  readonly histories: ByWindow<MeterHistory>;
}

/** The proxy's start does not wait for the first forecast. */
const FIRST_LOOK_MS = 1_000;
const LOOK_MS = 20_000;
/** The shortest time between two forecasts because of new figures. */
const LEAST_GAP_MS = 60_000;
/** A killed process loses nothing: what was used meanwhile is the difference to the figures that were saved. */
const SAVE_MS = 5 * 60_000;
/** How often a pool that is not used gets a new forecast. */
const UNCHANGED_MS = 5 * 60_000;
/** The time of a figure alone is written this often. */
const TIME_ALONE_MS = HOUR_MS;

/** In large pools fewer futures must suffice, so that a forecast takes a few hundred milliseconds at most. */
const MOST_FUTURES = 100;
const LEAST_FUTURES = 20;
const FUTURES_OF_POOL = 6_000;

function futuresFor(accounts: number): number {
  return Math.min(MOST_FUTURES, Math.max(LEAST_FUTURES, Math.floor(FUTURES_OF_POOL / Math.max(1, accounts))));
}

/** How often a pool of so many accounts gets a forecast, ms, so that forecasts take about a thousandth of a processor. */
function gapFor(accounts: number): number {
  return Math.min(15 * LEAST_GAP_MS, Math.max(LEAST_GAP_MS, accounts * 5_000));
}

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

function textOf(members: readonly KnownAccount[], part: (member: KnownAccount) => unknown): string {
  return JSON.stringify(members.map(part));
}

/** Which accounts there are and whether they serve. If that changes, the last forecast is wrong. */
function stateOf({ account }: KnownAccount): unknown {
  const { key, plan, inService, closedUntilMs, summary } = account;
  const known = mapWindows(summary.windows, ({ left }) => (left === undefined ? "unknown" : left > 0));
  return [key, plan, inService, closedUntilMs, known];
}

/** What changes little by little. */
function useOf({ account, histories }: KnownAccount): unknown {
  const used = mapWindows(histories, ({ usedPercent }) => usedPercent);
  return [used, mapWindows(account.summary.windows, ({ left }) => left)];
}

function memberOf({ account, histories }: KnownAccount): ForecastMember {
  const { plan, summary, inService, closedUntilMs } = account;
  return { plan, windows: summary.windows, histories, inService, closedUntilMs };
}

/** Lets requests run between two parts of a forecast, each of which takes a few milliseconds. */
function otherWork(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

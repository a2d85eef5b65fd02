// Forecasts when accounts will be exhausted, on request: for the status, the details of an account, the usage and the
// dashboard. Between requests, the forecaster only adds new figures to the history that forecasts are made from.

import { accountForecast } from "../core/forecast/account-forecast.ts";
import type { WindowForecast } from "../core/forecast/forecast.ts";
import { forecastAccounts } from "../core/forecast/forecast-accounts.ts";
import { type ForecastMember, poolForecast } from "../core/forecast/pool-forecast.ts";
import type { Forecasts } from "../core/forecast/status-forecast.ts";
import { mapWindows } from "../core/windows.ts";
import type { Clock } from "../deps.ts";
import { messageOf } from "../errors.ts";
import { createMeterHistories, type KnownAccount, type MeterHistoriesContext } from "./meter-histories.ts";
import type { Pool } from "./pool.ts";

export interface Forecaster {
  /**
   * The last forecasts; undefined if there are none, or they are too old to be shown. If new ones are due, they are made
   * in the background.
   */
  current(): Forecasts | undefined;
  /** The same, after a short wait for forecasts that are being made. */
  latest(): Promise<Forecasts | undefined>;
  start(): void;
  /** Writes what was learned, and stops. */
  stop(): void;
}

export interface ForecasterContext extends MeterHistoriesContext {
  readonly pool: Pick<Pool, "facts" | "view" | "revision">;
}

export function createForecaster(context: ForecasterContext): Forecaster {
  const { pool } = context;
  const { clock, log } = context.deps;
  const histories = createMeterHistories(context);
  let cancel: (() => void) | undefined;
  let isStopped = false;
  let learnedRevision = pool.revision();
  let hasClosed = false;
  let lookedMs = Number.NEGATIVE_INFINITY;
  let making: Promise<void> | undefined;
  let last: MadeForecasts | undefined;

  const learn = (): KnownAccount[] => {
    learnedRevision = pool.revision();
    const accounts = forecastAccounts(pool.facts(), pool.view());
    hasClosed = accounts.some(isClosed);
    return histories.learn(accounts);
  };
  const learnChanges = (): void => {
    if (pool.revision() === learnedRevision && !hasClosed) return;
    if (histories.read() === undefined) learn();
  };
  const beat = (): void => {
    cancel = clock.after(LEARN_MS, beat);
    learnChanges();
    histories.saveIfDue();
  };

  /** Makes new forecasts if they are due. */
  const renew = async (): Promise<void> => {
    const reading = histories.read();
    if (reading !== undefined) await reading;
    if (isStopped) return;
    const members = learn();
    const basis = { state: textOf(members, stateOf), use: textOf(members, useOf) };
    const atMs = clock.monotonic();
    if (last !== undefined && !isDue(last, basis, atMs, members.length)) return;
    last = { ...basis, atMs, forecasts: await forecastsOf(members, clock.now()) };
  };
  const ask = (): void => {
    const nowMs = clock.monotonic();
    const gapMs = last !== undefined && hasNoFigures(last) ? LOOK_FOR_FIGURES_MS : LOOK_MS;
    if (isStopped || making !== undefined || nowMs - lookedMs < gapMs) return;
    lookedMs = nowMs;
    making = renew()
      .catch((error) => log.warn(`making a forecast: ${messageOf(error)}; turns are not affected`))
      .finally(() => {
        making = undefined;
      });
  };
  const shown = (): Forecasts | undefined =>
    last !== undefined && clock.monotonic() - last.atMs < SHOWN_MS ? last.forecasts : undefined;

  return {
    current: () => {
      ask();
      return shown();
    },
    latest: async () => {
      ask();
      if (making !== undefined) await untilDone(making, clock);
      return shown();
    },
    start: () => {
      cancel = clock.after(LEARN_MS, beat);
    },
    stop: () => {
      isStopped = true;
      cancel?.();
      learnChanges();
      histories.stop();
    },
  };
}

// --- internal ---

interface MadeForecasts extends ForecastBasis {
  /** When they were made, monotonic ms. */
  readonly atMs: number;
  readonly forecasts: Forecasts;
}

/** What forecasts were made from, as texts that differ if it differs. */
interface ForecastBasis {
  readonly state: string;
  readonly use: string;
}

/** How often figures are added to the history while they change. */
const LEARN_MS = 60_000;
/** How often it is checked whether new forecasts are due. */
const LOOK_MS = 20_000;
/** The same while no account has figures, as in the first moments after a start. */
const LOOK_FOR_FIGURES_MS = 500;
/** The shortest time between two forecasts because of new figures. */
const LEAST_GAP_MS = 60_000;
/** The longest one, in large pools. */
const MOST_GAP_MS = 15 * LEAST_GAP_MS;
/** How often a pool that is not used gets a new forecast. */
const UNCHANGED_MS = 5 * 60_000;
/** Older forecasts are not shown. Forecasts that are asked for all the time never become that old. */
const SHOWN_MS = MOST_GAP_MS + UNCHANGED_MS;
/** The longest wait for forecasts that are being made. Those of 60 accounts take 0.1 to 0.3 s. */
const WAIT_MS = 500;

/** In large pools fewer futures must suffice, so that a forecast takes a few hundred milliseconds at most. */
const MOST_FUTURES = 100;
const LEAST_FUTURES = 20;
const FUTURES_OF_POOL = 6_000;

function futuresFor(accounts: number): number {
  return Math.min(MOST_FUTURES, Math.max(LEAST_FUTURES, Math.floor(FUTURES_OF_POOL / Math.max(1, accounts))));
}

/** How often a pool of so many accounts gets a forecast, ms, so that forecasts take about a thousandth of a processor. */
function gapFor(accounts: number): number {
  return Math.min(MOST_GAP_MS, Math.max(LEAST_GAP_MS, accounts * 5_000));
}

function isDue(last: MadeForecasts, now: ForecastBasis, nowMs: number, accounts: number): boolean {
  if (now.state !== last.state) return true;
  return nowMs - last.atMs >= (now.use === last.use ? UNCHANGED_MS : gapFor(accounts));
}

function hasNoFigures({ forecasts: { pool } }: MadeForecasts): boolean {
  return pool.outcome.kind === "unknown" && pool.outcome.why === "no-figures";
}

async function forecastsOf(members: readonly KnownAccount[], nowMs: number): Promise<Forecasts> {
  const accounts = new Map<string, readonly WindowForecast[]>();
  const options = { nowMs, futures: futuresFor(members.length) };
  for (const { account, histories } of members) {
    if (account.inService)
      accounts.set(
        account.key,
        accountForecast(account.summary.windows, histories, { ...options, order: account.order }),
      );
    await otherWork();
  }
  const pooling = poolForecast(members.map(memberOf), options);
  let step = pooling.next();
  for (; !step.done; step = pooling.next()) await otherWork();
  return { accounts, pool: step.value };
}

/** True while the account cannot serve. That may end with time alone, without a change of its record. */
function isClosed({ inService, figures }: KnownAccount["account"]): boolean {
  return inService && figures.some(({ serves }) => !serves);
}

function textOf(members: readonly KnownAccount[], part: (member: KnownAccount) => unknown): string {
  return JSON.stringify(members.map(part));
}

/** Which accounts there are, in which order, and whether they serve. If that changes, the last forecast is wrong. */
function stateOf({ account }: KnownAccount): unknown {
  const { key, plan, inService, closedUntilMs, summary, order } = account;
  const known = mapWindows(summary.windows, ({ left }) => (left === undefined ? "unknown" : left > 0));
  return [key, plan, inService, closedUntilMs, order, known];
}

/** What changes little by little. */
function useOf({ account, histories }: KnownAccount): unknown {
  const used = mapWindows(histories, ({ usedPercent }) => usedPercent);
  return [used, mapWindows(account.summary.windows, ({ left }) => left)];
}

function memberOf({ account, histories }: KnownAccount): ForecastMember {
  const { plan, summary, inService, closedUntilMs, order } = account;
  return { plan, windows: summary.windows, histories, inService, closedUntilMs, order };
}

/** Resolves when `work` is done, at the latest after `WAIT_MS`. */
async function untilDone(work: Promise<void>, clock: Clock): Promise<void> {
  const late = Promise.withResolvers<void>();
  const cancel = clock.after(WAIT_MS, late.resolve);
  await Promise.race([work, late.promise]);
  cancel();
}

/** Lets requests run between two parts of a forecast, each of which takes a few milliseconds. */
function otherWork(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

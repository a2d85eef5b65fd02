// Forecasts in words. Times are rounded, because a forecast does not know the minute.

import { counted } from "../count-words.ts";
import { windowLimit } from "../reason-words.ts";
import type { AccountAnswer, StatusAnswer } from "../status-schema.ts";
import { dayAndTime } from "../time-words.ts";
import type { PoolForecastAnswer, WindowForecastAnswer } from "./forecast-schema.ts";

/** One line of a forecast. */
export interface ForecastLine {
  /** `pool`, or the account with the name of its limit: `alice, Weekly limit`. */
  readonly name: string;
  /** What is expected, the longest wording first. */
  readonly wordings: readonly [string, ...string[]];
}

/**
 * What a user wants to know without asking: how long the pool lasts, if it does not last, and which windows are exhausted
 * before their resets, the first ones first. Nothing of a pool of one account, because its line says the same.
 */
export function forecastLines(status: StatusAnswer, nowMs: number): ForecastLine[] {
  const windows = windowRows(status.accounts, (account) => account.forecast ?? [], nowMs, status.proxy_name)
    .filter(({ account, forecast }) => isAhead(forecast, nowMs) && hasRoom(account))
    .sort((a, b) => (a.forecast.likely_at ?? 0) - (b.forecast.likely_at ?? 0))
    .map(({ name, limit, wordings }) => ({ name: `${name}, ${limit}`, wordings }));
  const { forecast: pool } = status;
  if (pool === undefined || pool.accounts < 2 || !isAhead(pool, nowMs)) return windows;
  return [{ name: "pool", wordings: poolWords(pool, nowMs) }, ...windows];
}

/** The forecast of one window in words. */
export interface WindowRow<Account> {
  readonly account: Account;
  readonly forecast: WindowForecastAnswer;
  /** As `accountName` returns it. */
  readonly name: string;
  readonly limit: string;
  readonly pace: string;
  /** What is expected, the longest wording first. */
  readonly wordings: readonly [string, ...string[]];
}

/** One row for each window of `accounts`, in their order. `windowsOf` returns the forecasts of an account. */
export function windowRows<Account extends Parameters<typeof accountName>[0]>(
  accounts: readonly Account[],
  windowsOf: (account: Account) => readonly WindowForecastAnswer[],
  nowMs: number,
  ownName = "",
): WindowRow<Account>[] {
  return accounts.flatMap((account) =>
    windowsOf(account).map((forecast) => ({
      account,
      forecast,
      name: accountName(account, ownName),
      limit: limitName(forecast),
      pace: paceWords(forecast),
      wordings: windowWords(forecast, nowMs),
    })),
  );
}

/** `Not counted: 2 accounts without figures.`; undefined if every account counts. */
export function leftOutWords({ left_out: count }: PoolForecastAnswer): string | undefined {
  return count === 0 ? undefined : `Not counted: ${counted(count, "account")} without figures.`;
}

/** `alice`, or `alice @ office` for an account of another proxy. `ownName`: the name of the proxy itself. */
export function accountName(
  { alias, proxy_name: owner = "" }: { readonly alias: string; readonly proxy_name?: string | undefined },
  ownName = "",
): string {
  return owner === "" || owner === ownName ? alias : `${alias} @ ${owner}`;
}

/** True unless it only says that nothing is known. */
export function isUsefulForecast(forecast: PoolForecastAnswer | WindowForecastAnswer | undefined): boolean {
  return forecast !== undefined && forecast.outcome !== "unknown";
}

/** `Weekly limit`. */
export function limitName({ window }: WindowForecastAnswer): string {
  return windowLimit(window);
}

/**
 * What is expected of a window: `reached Tue 14:00 (between Mon 20:00 and the reset)`, or of its floor: `floor of 20 %
 * reached Tue 14:00`. The longest wording first.
 */
export function windowWords(forecast: WindowForecastAnswer, nowMs: number): readonly [string, ...string[]] {
  const { likely_at: likely, earliest_at: earliest, floor_pct: floor } = forecast;
  const reached = floor === undefined ? "reached" : `floor of ${floor} % reached`;
  const lasts = floor === undefined ? "lasts" : "stays above its floor";
  switch (forecast.outcome) {
    case "reached":
      return withInterval(`${reached} ${when(likely, nowMs)}`, forecast, "the reset", nowMs);
    case "lasts":
      return earliest === undefined
        ? [`${lasts} until the reset`, lasts]
        : [
            `probably ${lasts} until the reset; ${reached} ${when(earliest, nowMs)} at the earliest`,
            `probably ${lasts} until the reset`,
            `probably ${lasts}`,
          ];
    case "exhausted":
      return floor === undefined ? ["exhausted"] : [`at its floor of ${floor} %`, "at its floor"];
    default:
      return unknownWords(forecast);
  }
}

/** The pool's forecast in words: `lasts until Thu 14:00 (between Wed 20:00 and Fri 09:00)`. */
export function poolWords(forecast: PoolForecastAnswer, nowMs: number): readonly [string, ...string[]] {
  const { likely_at: likely, earliest_at: earliest, until } = forecast;
  switch (forecast.outcome) {
    case "reached":
      return withInterval(
        `lasts until ${when(likely, nowMs)}`,
        forecast,
        `${when(until, nowMs)} or later`,
        nowMs,
      );
    case "lasts": {
      const lasts = `lasts until ${when(until, nowMs)} or longer`;
      return earliest === undefined
        ? [lasts]
        : [`probably ${lasts}; exhausted ${when(earliest, nowMs)} at the earliest`, `probably ${lasts}`];
    }
    case "exhausted":
      return ["exhausted"];
    default:
      return unknownWords(forecast);
  }
}

/** The burn rate: `12%/h` of a short window, `14%/day` of a longer one; `-` if it is unknown. */
export function paceWords({ window, percent_per_hour: rate }: WindowForecastAnswer): string {
  if (rate === undefined) return "-";
  const [value, unit] = window === "daily" ? [rate, "h"] : [rate * 24, "day"];
  if (value > 0 && value < 0.5) return `<1%/${unit}`;
  return `${Math.round(value)}%/${unit}`;
}

// --- internal ---

function isAhead({ outcome, likely_at }: PoolForecastAnswer | WindowForecastAnswer, nowMs: number): boolean {
  return outcome === "reached" && likely_at !== undefined && likely_at * 1000 > nowMs;
}

/** True if the account serves, is above its floors, and has something left of each window. */
function hasRoom(account: AccountAnswer): boolean {
  const { daily_left_pct, weekly_left_pct, monthly_left_pct } = account;
  return (
    account.enabled &&
    account.cooldown_seconds <= 0 &&
    account.at_floor === undefined &&
    ![daily_left_pct, weekly_left_pct, monthly_left_pct].includes(0)
  );
}

function withInterval(
  likely: string,
  { earliest_at, latest_at }: PoolForecastAnswer | WindowForecastAnswer,
  otherEnd: string,
  nowMs: number,
): [string, ...string[]] {
  const start = when(earliest_at, nowMs);
  const end = latest_at === undefined ? otherEnd : when(latest_at, nowMs);
  return [`${likely} (between ${start} and ${end})`, `${likely} (${start} - ${end})`, likely];
}

/** `little-history` and `no-figures` are the codes of this program; a newer one may have others. */
function unknownWords({ why }: PoolForecastAnswer | WindowForecastAnswer): [string, string] {
  return [why === "no-figures" ? "unknown: no figures yet" : "unknown: not enough history yet", "unknown"];
}

/** `14:00`, `Tue 14:00`, or `3 Dec`. The farther away, the coarser. */
function when(atSeconds: number | undefined, nowMs: number): string {
  const atMs = (atSeconds ?? 0) * 1000;
  const ahead = Math.max(0, atMs - nowMs);
  const step = ahead < 6 * HOUR_MS ? HOUR_MS / 6 : ahead < 24 * HOUR_MS ? HOUR_MS / 2 : HOUR_MS;
  return dayAndTime(Math.round(atMs / step) * step, nowMs);
}

const HOUR_MS = 3_600_000;

// When the limits of the accounts are reached, and how long the pool lasts.

import type { WindowForecastAnswer } from "../../../core/forecast/forecast-schema.ts";
import {
  isUsefulForecast,
  leftOutWords,
  poolWords,
  type WindowRow,
  windowRows,
} from "../../../core/forecast/forecast-words.ts";
import type { ShownWindow } from "../../../core/limit-windows.ts";
import type { AccountAnswer, StatusAnswer } from "../../../core/status-schema.ts";
import { ForecastBand } from "../parts/forecast-band.tsx";
import { Table } from "../parts/table.tsx";
import { WindowBar } from "../parts/window-bar.tsx";

interface ForecastProps {
  readonly status: StatusAnswer;
  readonly nowMs: number;
}

export function ForecastView({ status, nowMs }: ForecastProps) {
  const rows = rowsOf(status, nowMs);
  return (
    <>
      <h2 class="hidden">Forecast</h2>
      <Pool status={status} nowMs={nowMs} />
      <Missing status={status} rows={rows} />
      {rows.length > 0 && (
        <Table
          caption="Forecast"
          columns={[
            { heading: "Account" },
            { heading: "Limit" },
            { heading: "Left" },
            { heading: "Pace", kind: "number" },
            { heading: "At this pace" },
          ]}
          rows={rows.map(({ account, forecast, name, limit, pace, wordings }) => {
            const window = windowOf(account, forecast);
            return {
              key: `${account.proxy_id ?? ""} ${account.id} ${forecast.window}`,
              cells: [
                <strong key="name">{name}</strong>,
                limit,
                <WindowBar key="left" window={window} nowMs={nowMs} />,
                pace,
                <span key="forecast" class="forecast">
                  <span class={forecast.outcome === "reached" ? "" : "muted"}>{wordings[0]}</span>
                  <ForecastBand forecast={forecast} endAt={window.resetAt} nowMs={nowMs} />
                </span>,
              ],
            };
          })}
        />
      )}
    </>
  );
}

// --- internal ---

type ForecastRow = WindowRow<AccountAnswer>;

/** The forecasts of limits that are reached, the first ones first, and then the others as the accounts are listed. */
function rowsOf({ accounts, proxy_name: ownName }: StatusAnswer, nowMs: number): ForecastRow[] {
  const rows = windowRows(accounts, (account) => account.forecast ?? [], nowMs, ownName);
  const rank = ({ forecast: { outcome, likely_at } }: ForecastRow) =>
    outcome === "reached" ? (likely_at ?? 0) : Number.MAX_SAFE_INTEGER;
  return rows.sort((a, b) => rank(a) - rank(b));
}

function windowOf(account: AccountAnswer, { window }: WindowForecastAnswer): ShownWindow {
  switch (window) {
    case "daily":
      return { leftPct: account.daily_left_pct, resetAt: account.daily_reset_at };
    case "weekly":
      return { leftPct: account.weekly_left_pct, resetAt: account.weekly_reset_at };
    default:
      return { leftPct: account.monthly_left_pct, resetAt: account.monthly_reset_at };
  }
}

function Pool({ status: { forecast }, nowMs }: ForecastProps) {
  if (forecast === undefined) return null;
  const leftOut = leftOutWords(forecast);
  return (
    <section class="pool" aria-label="Pool">
      <div class="fact forecast">
        <span class="label">The pool</span>
        <strong>{poolWords(forecast, nowMs)[0]}</strong>
        <ForecastBand forecast={forecast} endAt={forecast.until} nowMs={nowMs} />
      </div>
      <div class="fact">
        <span class="label">Accounts counted</span>
        <span>
          {forecast.accounts}
          {leftOut !== undefined && <span class="muted"> {leftOut}</span>}
        </span>
      </div>
    </section>
  );
}

/** What is missing for a forecast. */
function Missing({ status, rows }: { readonly status: StatusAnswer; readonly rows: readonly ForecastRow[] }) {
  if (status.accounts.length === 0) return <p class="empty">No accounts yet.</p>;
  if (status.forecast === undefined)
    return <p class="empty">The proxy makes its first forecast in a moment.</p>;
  if (rows.some(({ forecast }) => isUsefulForecast(forecast))) return null;
  return (
    <p class="empty small missing">
      Too little is known about the use of the accounts. A 5h limit needs half an hour of history, a weekly
      limit and the pool need a day, and a monthly limit three days. The time since the current window began
      counts as history, even before codexlb saw the account.
    </p>
  );
}

// A bar for a forecast: from now on the left to the reset on the right, with the time in which a limit is probably
// reached, and a mark at the likeliest moment. It shows nothing that the text beside it does not say.

import type { PoolForecastAnswer, WindowForecastAnswer } from "../../../core/forecast/forecast-schema.ts";

export interface ForecastBandProps {
  readonly forecast: PoolForecastAnswer | WindowForecastAnswer;
  /** Unix seconds; 0 if it is unknown. */
  readonly endAt: number;
  readonly nowMs: number;
}

export function ForecastBand({ forecast, endAt, nowMs }: ForecastBandProps) {
  const { outcome, likely_at: likely, earliest_at: earliest, latest_at: latest } = forecast;
  const now = nowMs / 1000;
  if (earliest === undefined || endAt <= now) return null;
  const place = (at: number) => Math.min(100, Math.max(0, ((at - now) / (endAt - now)) * 100));
  const from = place(earliest);
  const to = latest === undefined ? 100 : place(latest);
  return (
    <span class="bar band" aria-hidden="true">
      <span
        class={`fill ${outcome === "reached" ? "bad" : "low"}`}
        style={{ left: `${from}%`, width: `${Math.max(1, to - from)}%` }}
      />
      {outcome === "reached" && likely !== undefined && (
        <span class="likely" style={{ left: `${place(likely)}%` }} />
      )}
    </span>
  );
}

// What is left of a quota window: a percentage, a bar, and the time of the reset.

import type { ShownWindow } from "../../../core/limit-windows.ts";
import { LITTLE_PCT, wholePercent } from "../../../core/status-words.ts";
import { until } from "../../../core/time-words.ts";

export function WindowBar(props: { readonly window: ShownWindow | undefined; readonly nowMs: number }) {
  const { window, nowMs } = props;
  if (window === undefined) return <span class="muted none">none</span>;
  const { leftPct, resetAt } = window;
  if (leftPct < 0) return <span class="muted none">unknown</span>;
  const level = leftPct <= 0 ? "bad" : leftPct < LITTLE_PCT ? "low" : "good";
  return (
    <span class="window">
      <span class={`percent ${level}`}>{wholePercent(leftPct)}</span>
      <span class="bar" aria-hidden="true">
        <span class={`fill ${level}`} style={{ width: `${Math.min(100, leftPct)}%` }} />
      </span>
      <span class="reset">{resetAt > 0 ? until(resetAt * 1000, nowMs) : ""}</span>
    </span>
  );
}

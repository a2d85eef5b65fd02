// What the usage view can show: the period, an account, the groups, and the figure of the chart.

import { USAGE_PERIODS, USAGE_VIEWS } from "../../messages.ts";
import { PERIOD_WORDS, type ShownUsage, VIEW_WORDS } from "../usage-choice.ts";
import { isMeasure, MEASURES, type Measure } from "../usage-measures.ts";
import { AccountSelect } from "./account-select.tsx";

export function UsageChoices(props: {
  readonly shown: ShownUsage;
  /** The names of the accounts and the child proxies. */
  readonly upstreams: readonly string[];
  readonly change: (part: Partial<ShownUsage>) => void;
}) {
  const { shown, upstreams, change } = props;
  return (
    <div class="filters">
      <fieldset class="segments">
        <legend>Period</legend>
        {USAGE_PERIODS.map((since) => (
          <label key={since}>
            <input
              type="radio"
              name="period"
              checked={shown.since === since}
              onChange={() => change({ since })}
            />
            <span>{PERIOD_WORDS[since]}</span>
          </label>
        ))}
      </fieldset>
      <AccountSelect
        value={shown.filters.account ?? ""}
        names={upstreams}
        choose={(name) => change({ filters: { ...shown.filters, account: name || undefined } })}
      />
      <label>
        <span>By</span>
        <select
          value={shown.by}
          onChange={({ currentTarget }) =>
            change({ by: USAGE_VIEWS.find((by) => by === currentTarget.value) ?? "account" })
          }
        >
          {USAGE_VIEWS.map((by) => (
            <option key={by} value={by}>
              {VIEW_WORDS[by]}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>Chart</span>
        <select
          value={shown.measure}
          onChange={({ currentTarget: { value } }) =>
            change({ measure: isMeasure(value) ? value : "tokens" })
          }
        >
          {MEASURE_NAMES.map((name) => (
            <option key={name} value={name}>
              {MEASURES[name].title}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

// --- internal ---

const MEASURE_NAMES = Object.keys(MEASURES) as Measure[];

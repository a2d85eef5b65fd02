// What turns used over time, by account, model, project or client key.

import { useEffect, useRef, useState } from "preact/hooks";
import { type Snapshot, USAGE_PERIODS, USAGE_VIEWS, type UsageAnswer } from "../../messages.ts";
import { CommandLine } from "../parts/command-line.tsx";
import { UsageOverTime } from "../parts/usage-over-time.tsx";
import { UsageSwitches } from "../parts/usage-switches.tsx";
import { UsageTable } from "../parts/usage-table.tsx";
import { UsageTotals } from "../parts/usage-totals.tsx";
import { PERIOD_WORDS, type ShownUsage, storedUsage, storeUsage, VIEW_WORDS } from "../usage-choice.ts";
import { createUsageFeed, type UsageFeed, type UsageState } from "../usage-feed.ts";
import { isMeasure, MEASURES, type Measure } from "../usage-measures.ts";

export interface UsageProps {
  readonly snapshot: Snapshot;
  /** True while the page is connected to the proxy. */
  readonly isLive: boolean;
  readonly nowMs: number;
}

export function UsageView({ snapshot, isLive, nowMs }: UsageProps) {
  const [shown, setShown] = useState<ShownUsage>(storedUsage);
  const { choice, answer, failure } = useUsage(shown, isLive ? versionOf(snapshot) : undefined);
  const change = (part: Partial<ShownUsage>) => {
    const next = { ...shown, ...part };
    storeUsage(next);
    setShown(next);
  };
  return (
    <>
      <h2 class="hidden">Usage</h2>
      <Choices shown={shown} change={change} />
      {failure !== undefined && (
        <p class="failure" role="alert">
          {failure}
        </p>
      )}
      {answer === undefined || choice === undefined ? (
        failure === undefined && <p class="empty">Loading...</p>
      ) : (
        <div aria-busy={choice.since !== shown.since || choice.by !== shown.by}>
          <Recording answer={answer} />
          {answer.report.total.turns === 0 ? (
            <NoTurns period={PERIOD_WORDS[choice.since]} />
          ) : (
            <Figures answer={answer} shown={{ ...shown, ...choice }} nowMs={nowMs} />
          )}
        </div>
      )}
      <p class="muted same">
        The same in a terminal:{" "}
        <CommandLine command={`codexlb usage --since ${shown.since} --by ${shown.by}`} />
      </p>
    </>
  );
}

// --- internal ---

const MEASURE_NAMES = Object.keys(MEASURES) as Measure[];

/** Another text after turns have ended, and after the proxy restarted. */
function versionOf({ proxy, recordedTurns }: Snapshot): string {
  return `${proxy.startedMs} ${recordedTurns}`;
}

function useUsage({ since, by }: ShownUsage, version: string | undefined): UsageState {
  const [state, setState] = useState<UsageState>({
    choice: undefined,
    answer: undefined,
    failure: undefined,
  });
  const feed = useRef<UsageFeed | undefined>(undefined);
  useEffect(() => {
    feed.current = createUsageFeed(setState);
    return () => feed.current?.stop();
  }, []);
  useEffect(() => feed.current?.want({ since, by }, version), [since, by, version]);
  return state;
}

function Choices(props: {
  readonly shown: ShownUsage;
  readonly change: (part: Partial<ShownUsage>) => void;
}) {
  const { shown, change } = props;
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

/** Says why turns are missing; nothing while the proxy records them. */
function Recording({ answer: { report, failure } }: { readonly answer: UsageAnswer }) {
  if (report.recording === "off")
    return (
      <p class="banner" role="status">
        The proxy does not record turns now. To record them, set <code>usage.enabled = true</code> in
        config.toml.
      </p>
    );
  if (failure === undefined) return null;
  return (
    <p class="banner" role="alert">
      The proxy cannot write its usage database now: {failure.why}.{" "}
      {failure.dropped > 0 && `${failure.dropped} turns were lost. `}
      Run <code>codexlb doctor</code> on its machine.
    </p>
  );
}

function NoTurns({ period }: { readonly period: string }) {
  return (
    <div class="empty">
      <h2>No turns in the last {period}</h2>
      <p>Turns appear here when they end. Start Codex through this proxy:</p>
      <CommandLine command="codexlb run" />
    </div>
  );
}

function Figures(props: {
  readonly answer: UsageAnswer;
  readonly shown: ShownUsage;
  readonly nowMs: number;
}) {
  const { answer, shown, nowMs } = props;
  return (
    <>
      <UsageTotals report={answer.report} />
      <UsageOverTime answer={answer} shown={shown} nowMs={nowMs} />
      <UsageTable answer={answer} shown={shown} />
      <UsageSwitches answer={answer} />
    </>
  );
}

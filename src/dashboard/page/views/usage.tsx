// What turns used over time, by account, model, project, session, client key or proxy.

import { useEffect, useRef, useState } from "preact/hooks";
import { filterWords } from "../../../core/usage-words.ts";
import type { Snapshot, UsageAnswer } from "../../messages.ts";
import { upstreamsOf } from "../parts/account-select.tsx";
import { CommandLine } from "../parts/command-line.tsx";
import { UsageChoices } from "../parts/usage-choices.tsx";
import { UsageFilterList } from "../parts/usage-filter-list.tsx";
import { UsageOverTime } from "../parts/usage-over-time.tsx";
import { UsageSwitches } from "../parts/usage-switches.tsx";
import { UsageTable } from "../parts/usage-table.tsx";
import { UsageTotals } from "../parts/usage-totals.tsx";
import {
  PERIOD_WORDS,
  type ShownUsage,
  storedUsage,
  storeUsage,
  type UsageChoice,
  usageCommand,
} from "../usage-choice.ts";
import { createUsageFeed, isSameChoice, type UsageFeed, type UsageState } from "../usage-feed.ts";

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
  const command = usageCommand(shown);
  return (
    <>
      <h2 class="hidden">Usage</h2>
      <UsageChoices shown={shown} upstreams={upstreamsOf(snapshot.status)} change={change} />
      <UsageFilterList filters={shown.filters} change={(filters) => change({ filters })} />
      {failure !== undefined && (
        <p class="failure" role="alert">
          {failure}
        </p>
      )}
      {answer === undefined || choice === undefined ? (
        failure === undefined && <p class="empty">Loading...</p>
      ) : (
        <div aria-busy={!isSameChoice(choice, shown)}>
          <Recording answer={answer} />
          {answer.report.total.turns === 0 ? (
            <NoTurns choice={choice} />
          ) : (
            <Figures
              answer={answer}
              shown={{ ...shown, ...choice }}
              nowMs={nowMs}
              filter={(name) => change({ filters: { ...shown.filters, [choice.by]: name } })}
            />
          )}
        </div>
      )}
      {command !== undefined && (
        <p class="muted same">
          The same in a terminal: <CommandLine command={command} />
        </p>
      )}
    </>
  );
}

// --- internal ---

/** Another text after turns have ended, and after the proxy restarted. */
function versionOf({ proxy, recordedTurns }: Snapshot): string {
  return `${proxy.startedMs} ${recordedTurns}`;
}

function useUsage(shown: ShownUsage, version: string | undefined): UsageState {
  const { since, by, filters } = shown;
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
  useEffect(() => feed.current?.want({ since, by, filters }, version), [since, by, filters, version]);
  return state;
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

function NoTurns({ choice: { since, filters } }: { readonly choice: UsageChoice }) {
  const only = filterWords(filters);
  if (only !== "")
    return (
      <p class="empty">
        No turns in the last {PERIOD_WORDS[since]} ({only}).
      </p>
    );
  return (
    <div class="empty">
      <h2>No turns in the last {PERIOD_WORDS[since]}</h2>
      <p>Turns appear here when they end. Start Codex through this proxy:</p>
      <CommandLine command="codexlb run" />
    </div>
  );
}

function Figures(props: {
  readonly answer: UsageAnswer;
  readonly shown: ShownUsage;
  readonly nowMs: number;
  /** Shows only the turns of this group. */
  readonly filter: (name: string) => void;
}) {
  const { answer, shown, nowMs, filter } = props;
  return (
    <>
      <UsageTotals report={answer.report} />
      <UsageOverTime answer={answer} shown={shown} nowMs={nowMs} />
      <UsageTable answer={answer} shown={shown} nowMs={nowMs} filter={filter} />
      <UsageSwitches answer={answer} />
    </>
  );
}

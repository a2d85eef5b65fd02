// The usage groups and their figures, as `codexlb usage` prints them.

import { useState } from "preact/hooks";
import { pastTime } from "../../../core/time-words.ts";
import type { UsageLine, UsageReport } from "../../../core/usage-report.ts";
import { usageCsv } from "../../../core/usage-text.ts";
import {
  compactNumber,
  costNotes,
  costText,
  sessionNote,
  shareText,
  shortDuration,
  shortSessions,
} from "../../../core/usage-words.ts";
import type { UsageAnswer } from "../../messages.ts";
import { type ShownUsage, VIEW_WORDS } from "../usage-choice.ts";
import { groupName, projectOf } from "../usage-names.ts";
import { Download } from "./download.tsx";
import { SeriesMark } from "./series-mark.tsx";
import { Table } from "./table.tsx";

export function UsageTable(props: {
  readonly answer: UsageAnswer;
  readonly shown: ShownUsage;
  readonly nowMs: number;
  /** Shows only the turns of this group. */
  readonly filter: (name: string) => void;
}) {
  const { answer, shown, nowMs, filter } = props;
  const { report, series } = answer;
  const { since, by, filters } = shown;
  const [most, setMost] = useState(PAGE);
  const ranks = new Map(series.map(({ name }, rank) => [name, rank]));
  const number = (heading: string) => ({ heading, kind: "number" as const });
  const hidden = report.lines.length - most;
  const lines = report.lines.slice(0, most);
  const sessions = by === "session" ? shortSessions(lines.map(({ name }) => name)) : [];
  const heading = by === "proxy" ? "Proxies" : `${VIEW_WORDS[by]}s`;
  // No report can be limited to a proxy.
  const canFilter = by !== "proxy" && filters[by] === undefined;
  const sessionCells = (line: UsageLine) => (by === "session" ? sessionFacts(line, nowMs) : []);
  return (
    <section>
      <h2>{heading}</h2>
      <Table
        caption={heading}
        columns={[
          { heading: VIEW_WORDS[by] },
          ...(by === "session" ? ["Project", "Began", "Last turn"].map((heading) => ({ heading })) : []),
          ...["Turns", "Failed", "Input", "Cached", "Output", "Reasoning"].map(number),
          ...["First output", "Est. cost"].map(number),
        ]}
        rows={[
          ...lines.map((line, index) => ({
            key: line.name,
            class: "sums",
            cells: [
              <GroupName
                key="name"
                name={sessions[index] || groupName(line.name, by)}
                title={groupName(line.name, by)}
                rank={ranks.get(line.name)}
                filter={canFilter ? () => filter(line.name) : undefined}
              />,
              ...sessionCells(line),
              ...figuresOf(line),
            ],
          })),
          {
            key: "\0total",
            class: "sums total",
            cells: ["Total", ...sessionCells(report.total), ...figuresOf(report.total)],
          },
        ]}
      />
      <div class="below">
        {hidden > 0 && (
          <button type="button" class="small" onClick={() => setMost(most + PAGE)}>
            Show {Math.min(PAGE, hidden)} more
          </button>
        )}
        <Download
          name={`codexlb-usage-${since}-${by}.csv`}
          label="Download CSV"
          text={() => usageCsv(report)}
        />
      </div>
      {notesOf(report, shown).map((note) => (
        <p key={note} class="muted note">
          {note}
        </p>
      ))}
    </section>
  );
}

// --- internal ---

const PAGE = 25;

function notesOf(report: UsageReport, { by, filters }: ShownUsage): string[] {
  const isOfSessions = by === "session" || filters.session !== undefined;
  return [...costNotes(report), ...(isOfSessions ? [sessionNote(report.keep_days)] : [])];
}

function GroupName(props: {
  readonly name: string;
  /** The name in full. */
  readonly title: string;
  readonly rank: number | undefined;
  readonly filter: (() => void) | undefined;
}) {
  const { name, title, rank, filter } = props;
  return (
    <span class="group" title={title}>
      {rank === undefined ? <span class="series-mark" /> : <SeriesMark rank={rank} />}
      {filter === undefined ? (
        <strong>{name}</strong>
      ) : (
        <button type="button" class="only" aria-label={`${name}: show only this`} onClick={filter}>
          {name}
        </button>
      )}
    </span>
  );
}

/** The project of a session, and when it began and was last used; empty for the total. */
function sessionFacts(line: UsageLine, nowMs: number): string[] {
  const time = (atMs: number | undefined) => (atMs === undefined ? "" : pastTime(atMs, nowMs));
  return [projectOf(line), time(line.first_ms), time(line.last_ms)];
}

function figuresOf(line: UsageLine): string[] {
  const { cached_input_tokens: cached, input_tokens: input, first_output_ms: firstMs } = line;
  return [
    String(line.turns),
    String(line.failed),
    compactNumber(input),
    `${compactNumber(cached)} (${shareText(cached, input)})`,
    compactNumber(line.output_tokens),
    compactNumber(line.reasoning_tokens),
    firstMs === null ? "-" : shortDuration(firstMs),
    costText(line),
  ];
}

// The usage groups and their figures, as `codexlb usage` prints them.

import { useState } from "preact/hooks";
import type { UsageLine } from "../../../core/usage-report.ts";
import { usageCsv } from "../../../core/usage-text.ts";
import { compactNumber, costNotes, costText, shareText, shortDuration } from "../../../core/usage-words.ts";
import type { UsageAnswer } from "../../messages.ts";
import { type ShownUsage, VIEW_WORDS } from "../usage-choice.ts";
import { groupName } from "../usage-names.ts";
import { Download } from "./download.tsx";
import { SeriesMark } from "./series-mark.tsx";
import { Table } from "./table.tsx";

export function UsageTable({ answer, shown }: { readonly answer: UsageAnswer; readonly shown: ShownUsage }) {
  const { report, series } = answer;
  const { since, by } = shown;
  const [most, setMost] = useState(PAGE);
  const ranks = new Map(series.map(({ name }, rank) => [name, rank]));
  const number = (heading: string) => ({ heading, kind: "number" as const });
  const hidden = report.lines.length - most;
  return (
    <section>
      <h2>{VIEW_WORDS[by]}s</h2>
      <Table
        caption={`${VIEW_WORDS[by]}s`}
        columns={[
          { heading: VIEW_WORDS[by] },
          ...["Turns", "Failed", "Input", "Cached", "Output", "Reasoning"].map(number),
          ...["First output", "Est. cost"].map(number),
        ]}
        rows={[
          ...report.lines.slice(0, most).map((line) => ({
            key: line.name,
            class: "sums",
            cells: [
              <GroupName key="name" name={groupName(line.name, by)} rank={ranks.get(line.name)} />,
              ...figuresOf(line),
            ],
          })),
          { key: "\0total", class: "sums total", cells: ["Total", ...figuresOf(report.total)] },
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
      {costNotes(report).map((note) => (
        <p key={note} class="muted note">
          {note}
        </p>
      ))}
    </section>
  );
}

// --- internal ---

const PAGE = 25;

function GroupName({ name, rank }: { readonly name: string; readonly rank: number | undefined }) {
  return (
    <span class="group">
      {rank === undefined ? <span class="series-mark" /> : <SeriesMark rank={rank} />}
      <strong>{name}</strong>
    </span>
  );
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

// The usage over time: the chart, its legend, and the same figures as a table.

import { useState } from "preact/hooks";
import type { UsageLine } from "../../../core/usage-report.ts";
import { csvLine } from "../../../core/usage-text.ts";
import type { UsageAnswer } from "../../messages.ts";
import { PERIOD_WORDS, type ShownUsage } from "../usage-choice.ts";
import { MEASURES } from "../usage-measures.ts";
import { groupName, legendNames, projectOf } from "../usage-names.ts";
import { partLabel, partWords } from "../usage-times.ts";
import { Download } from "./download.tsx";
import { SeriesFills, SeriesMark } from "./series-mark.tsx";
import { Table } from "./table.tsx";
import { UsageChart } from "./usage-chart.tsx";

export interface UsageOverTimeProps {
  readonly answer: UsageAnswer;
  readonly shown: ShownUsage;
  readonly nowMs: number;
}

export function UsageOverTime({ answer, shown, nowMs }: UsageOverTimeProps) {
  const { report, starts, series, totals } = answer;
  const { since, by } = shown;
  const measure = MEASURES[shown.measure];
  const [pointed, setPointed] = useState<number | undefined>(undefined);
  // A shorter period may have arrived since a part was chosen.
  const chosen = pointed !== undefined && pointed < starts.length ? pointed : undefined;
  const words = starts.map((start) => partWords(start, since, nowMs));
  const projects = new Map(report.lines.map((line) => [line.name, projectOf(line)]));
  const names = legendNames(
    series.map(({ name }) => name),
    by,
  ).map((name, rank) => {
    const project = projects.get(series[rank]?.name ?? "") || "";
    return project === "" ? name : `${name} (${project})`;
  });
  const title = `${measure.title} over time by ${by}, last ${PERIOD_WORDS[since]}`;
  const text = (line: UsageLine | undefined) => (line === undefined ? "" : measure.text(line));
  const texts = (index: number) => [...series.map(({ parts }) => text(parts[index])), text(totals[index])];
  return (
    <section class="over-time">
      <SeriesFills />
      <h2>{measure.title} over time</h2>
      <div class="card">
        <p class="chosen-part">
          <span class="muted">{chosen === undefined ? `Last ${PERIOD_WORDS[since]}` : words[chosen]}</span>{" "}
          <strong>{text(chosen === undefined ? report.total : totals[chosen])}</strong>
        </p>
        <ul class="legend">
          {series.map(({ name, total, parts }, rank) => (
            <li key={name} title={groupName(name, by)}>
              <SeriesMark rank={rank} />
              <span class="series-name">{names[rank]}</span>{" "}
              <strong>{text(chosen === undefined ? total : parts[chosen])}</strong>
            </li>
          ))}
        </ul>
        <UsageChart
          title={title}
          series={series.map(({ name, parts }) => ({ name, values: parts.map(measure.value) }))}
          labels={starts.map(partLabel)}
          tick={measure.tick}
          leastTick={measure.leastTick}
          chosen={chosen}
          choose={setPointed}
          partText={(index) =>
            `${words[index]}: ${text(totals[index])}; ${names.map((name, rank) => `${name} ${text(series[rank]?.parts[index])}`).join(", ")}`
          }
        />
      </div>
      <details>
        <summary>The figures of the chart</summary>
        <div class="figures">
          <Table
            caption={title}
            columns={["Time", ...names, "Total"].map((heading, index) => ({
              heading,
              kind: index === 0 ? "text" : "number",
            }))}
            rows={starts
              .map((start, index) => ({ key: start, cells: [words[index] ?? start, ...texts(index)] }))
              .reverse()}
          />
        </div>
        <Download
          name={`codexlb-usage-${since}-${by}-${shown.measure}.csv`}
          label="Download CSV of the chart"
          text={() => csvOf(answer, shown)}
        />
      </details>
    </section>
  );
}

// --- internal ---

/** A line for each part, a column for each series, exact values. */
function csvOf({ starts, series, totals }: UsageAnswer, { by, measure }: ShownUsage): string {
  const { value } = MEASURES[measure];
  const columns = [...series.map(({ parts }) => parts), totals];
  return [
    ["start", ...series.map(({ name }) => groupName(name, by)), "total"],
    ...starts.map((start, index) => [
      start,
      ...columns.map(({ [index]: line }) => (line === undefined ? "" : String(value(line)))),
    ]),
  ]
    .map(csvLine)
    .join("");
}

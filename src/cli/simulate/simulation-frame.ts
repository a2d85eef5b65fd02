// The report of `codexlb simulate` for a person: the table, conclusions from it, the sizes of windows with their errors, and notes. Pure.

import { counted } from "../../core/count-words.ts";
import type { ScenarioReport, SimulationReport } from "../../core/replay/simulation-report.ts";
import {
  accountsWords,
  policyWords,
  refusedWords,
  simulationNotes,
  sizeLines,
  summarySentences,
  waitWords,
} from "../../core/replay/simulation-words.ts";
import { shortDate } from "../../core/time-words.ts";
import { fit } from "../terminal/fit.ts";
import { fittedTable, type TableColumn, type TableFrame } from "../terminal/fitted-table.ts";

/** The report as text. No line is wider than the terminal. */
export function simulationFrame(report: SimulationReport, frame: TableFrame): string {
  const { columns, style } = frame;
  const { paint, glyphs } = style;
  const { since_ms, until_ms, turns, scenarios } = report;
  const period = `${shortDate(since_ms, until_ms)} - ${shortDate(until_ms, until_ms)}`;
  const head = `${paint.bold("simulation")}  ${period}  ${counted(turns, "turn")}`;
  const wrapped = (text: string) => `${Bun.wrapAnsi(text, columns, { hard: true })}\n`;
  return [
    `${fit(head, columns, glyphs.ellipsis)}\n`,
    fittedTable(columnsOf(scenarios), frame),
    ...summarySentences(report).map(wrapped),
    `\n${paint.bold(wrapped("sizes of windows, at API prices"))}`,
    ...sizeLines(report).map(wrapped),
    ...simulationNotes(report).map((note) => paint.dim(wrapped(note))),
  ].join("");
}

// --- internal ---

function columnsOf(scenarios: readonly ScenarioReport[]): TableColumn[] {
  /** A column of numbers, aligned on the right. */
  const numbers = (
    heading: string,
    textOf: (scenario: ScenarioReport) => string,
    rank?: number,
  ): TableColumn => {
    const texts = scenarios.map(textOf);
    const width = Math.max(heading.length, ...texts.map((text) => text.length));
    return {
      heading: heading.padStart(width),
      cells: texts.map((text) => text.padStart(width)),
      ...(rank === undefined ? {} : { rank }),
    };
  };
  const percent = (share: number | null) => (share === null ? "-" : `${Math.round(share * 100)}%`);
  return [
    { heading: "ACCOUNTS", cells: scenarios.map(accountsWords) },
    {
      heading: "POLICY",
      cells: scenarios.map((scenario) => policyWords(scenario, scenarios[0] ?? scenario)),
    },
    numbers("REFUSED", refusedWords),
    numbers("WAIT", waitWords, 1),
    numbers("WASTED", ({ wasted }) => percent(wasted), 1),
    numbers("MOVES", ({ moves }) => String(moves), 2),
    numbers("CACHE", ({ cached }) => percent(cached), 3),
    numbers("EST. COST", ({ cost_usd }) => `$${cost_usd.toFixed(2)}`, 4),
  ];
}

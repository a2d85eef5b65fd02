// The forecast below a usage report, for a person. Pure.

import type { ForecastReport } from "../../core/forecast/forecast-report.ts";
import { isUsefulForecast, leftOutWords, poolWords, windowRows } from "../../core/forecast/forecast-words.ts";
import { wrappedLines } from "../../wrapped-lines.ts";
import { fit, nameWordings } from "../terminal/fit.ts";
import { fittedTable, type TableFrame } from "../terminal/fitted-table.ts";

/** The forecast as text; "" if nothing can be forecast. No line is wider than the terminal. */
export function forecastFrame({ pool, accounts }: ForecastReport, frame: TableFrame, nowMs: number): string {
  const rows = windowRows(accounts, ({ windows }) => windows, nowMs);
  if (![pool, ...rows.map(({ forecast }) => forecast)].some(isUsefulForecast)) return "";
  const { columns, style } = frame;
  const { paint, glyphs } = style;
  const cut = (line: string) => `${fit(line, columns, glyphs.ellipsis)}\n`;
  const poolLines = pool === undefined ? [] : poolWords(pool, nowMs).map((words) => `pool ${words}`);
  const poolLine = poolLines.find((line) => line.length <= columns) ?? poolLines.at(-1);
  const leftOut = pool && leftOutWords(pool);
  return [
    `\n${cut(paint.bold("forecast at this pace"))}`,
    poolLine === undefined ? "" : cut(poolLine),
    fittedTable(
      [
        { heading: "ACCOUNT", cells: rows.map(({ name }) => nameWordings(name, glyphs.ellipsis)) },
        { heading: "LIMIT", cells: rows.map(({ limit }) => limit) },
        { heading: "PACE", cells: rows.map(({ pace }) => pace) },
        { heading: "FORECAST", cells: rows.map(({ wordings }) => wordings) },
      ],
      frame,
    ),
    ...(leftOut === undefined
      ? []
      : wrappedLines(leftOut, { columns }).map((line) => `${paint.dim(line)}\n`)),
  ].join("");
}

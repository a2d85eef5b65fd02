// The forecast below a usage report, for a person. Pure.

import { counted } from "../../core/count-words.ts";
import type { ForecastReport } from "../../core/forecast/forecast-report.ts";
import {
  accountName,
  isUsefulForecast,
  limitName,
  paceWords,
  poolWords,
  windowWords,
} from "../../core/forecast/forecast-words.ts";
import { fit } from "../terminal/fit.ts";
import { fittedTable, type TableFrame } from "../terminal/fitted-table.ts";

/** The forecast as text; "" if nothing can be forecast. No line is wider than the terminal. */
export function forecastFrame({ pool, accounts }: ForecastReport, frame: TableFrame, nowMs: number): string {
  const rows = accounts.flatMap(({ windows, ...account }) =>
    windows.map((forecast) => ({ account, forecast })),
  );
  if (![pool, ...rows.map(({ forecast }) => forecast)].some(isUsefulForecast)) return "";
  const { columns, style } = frame;
  const { paint, glyphs } = style;
  const cut = (line: string) => `${fit(line, columns, glyphs.ellipsis)}\n`;
  const poolLines = pool === undefined ? [] : poolWords(pool, nowMs).map((words) => `pool ${words}`);
  const poolLine = poolLines.find((line) => line.length <= columns) ?? poolLines.at(-1);
  const leftOut = pool?.left_out ?? 0;
  return [
    `\n${cut(paint.bold("forecast at this pace"))}`,
    poolLine === undefined ? "" : cut(poolLine),
    fittedTable(
      [
        { heading: "ACCOUNT", cells: rows.map(({ account }) => [accountName(account)]) },
        { heading: "LIMIT", cells: rows.map(({ forecast }) => limitName(forecast)) },
        { heading: "PACE", cells: rows.map(({ forecast }) => paceWords(forecast)) },
        { heading: "FORECAST", cells: rows.map(({ forecast }) => [...windowWords(forecast, nowMs)]) },
      ],
      frame,
    ),
    leftOut === 0 ? "" : paint.dim(cut(`Not counted: ${counted(leftOut, "account")} without figures.`)),
  ].join("");
}

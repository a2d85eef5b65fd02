// The forecast in the usage report.

import { z } from "zod";
import { shortLine } from "../../printable.ts";
import type { StatusDocument } from "../status-schema.ts";
import { PoolForecastAnswer, WindowForecastAnswer } from "./forecast-schema.ts";

const text = z.string().transform((value) => shortLine(value));

/** When the accounts and the pool are exhausted. */
export type ForecastReport = z.output<typeof ForecastReport>;
export const ForecastReport = z.looseObject({
  /** Absent if the report is about one account. */
  pool: PoolForecastAnswer.optional(),
  accounts: z.array(
    z.looseObject({
      alias: text,
      /** The child proxy that has the account; absent for the proxy's own accounts. */
      proxy_name: text.optional(),
      windows: z.array(WindowForecastAnswer),
    }),
  ),
});

/** The forecasts in `status`, of one account if `alias` is given; undefined if there are none. */
export function forecastReport(
  { forecast: pool, accounts, proxy_name: ownName }: StatusDocument,
  alias: string | undefined,
): ForecastReport | undefined {
  if (pool === undefined) return undefined;
  const found = accounts.flatMap(({ forecast: windows, ...account }) => {
    if (windows === undefined || (alias !== undefined && account.alias !== alias)) return [];
    const isOwn = account.proxy_name === "" || account.proxy_name === ownName;
    return [{ alias: account.alias, ...(isOwn ? {} : { proxy_name: account.proxy_name }), windows }];
  });
  return { ...(alias === undefined ? { pool: PoolForecastAnswer.parse(pool) } : {}), accounts: found };
}

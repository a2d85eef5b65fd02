// Turns that the first account refuses. Without a proxy that fails over, the client repeats the request itself.

import { PATHS, REFUSED_AT } from "../backend.ts";
import { sharedNowMs } from "../clock.ts";
import { quantile } from "../statistics.ts";
import { turnBody, turnHeaders } from "./body.ts";
import { connectHttp, httpRequest } from "./http-connection.ts";
import type { FailoverLoad, Load } from "./spec.ts";

/** Measures `failoverP50` and `failoverP99`: from the backend's 429 to the first byte of the turn, ms. */
export async function prepareFailovers({ origin, headers }: FailoverLoad): Promise<Load> {
  const connection = await connectHttp(origin);
  let serial = 0;
  const refusedAt = new RegExp(`\r\n${REFUSED_AT}: *([0-9.]+)`, "i");
  return async (operations) => {
    const times: number[] = [];
    for (let turn = 0; turn < operations; turn++) {
      const session = `failover-${process.pid}-${serial++}`;
      const path = `${PATHS.turn}?limited=${session}`;
      const request = httpRequest(origin, path, turnHeaders(headers, session), turnBody(session, 1_000));
      let firstMs: number | undefined;
      const send = () =>
        connection.send(request, () => {
          firstMs ??= sharedNowMs();
        });
      let response = await send();
      if (response.status === 429) {
        firstMs = undefined;
        response = await send();
      }
      const refusedMs = refusedAt.exec(response.head)?.[1];
      if (response.status !== 200 || refusedMs === undefined)
        throw new Error(`a failover: status ${response.status}`);
      times.push((firstMs ?? Number.NaN) - Number(refusedMs));
    }
    return { failoverP50: quantile(times, 0.5), failoverP99: quantile(times, 0.99) };
  };
}

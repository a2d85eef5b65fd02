// A load of turns that the first account refuses. Without a proxy that fails over, the client itself sends them again.

import { sharedNowMs } from "../clock.ts";
import { PATHS } from "../protocol.ts";
import { stampsIn } from "../stamps.ts";
import { quantile } from "../statistics.ts";
import { turnBody, turnHeaders } from "./body.ts";
import { connectHttp, httpRequest } from "./http-connection.ts";
import type { FailoverLoad, Load } from "./spec.ts";

/** Measures `failoverP50` and `failoverP99`: the time from the backend's 429 to the first byte of the turn, ms. */
export async function prepareFailovers({ origin, headers }: FailoverLoad): Promise<Load> {
  const connection = await connectHttp(origin);
  let serial = 0;
  return async (operations) => {
    const times: number[] = [];
    for (let turn = 0; turn < operations; turn++) {
      const session = `failover-${process.pid}-${serial++}`;
      const path = `${PATHS.turn}?limited=${session}`;
      const request = httpRequest(origin, path, turnHeaders(headers, session), turnBody(session, 1_000));
      let firstMs: number | undefined;
      let text = "";
      const send = () => {
        firstMs = undefined;
        text = "";
        return connection.send(request, (data) => {
          firstMs ??= sharedNowMs();
          text += data.toString("latin1");
        });
      };
      const first = await send();
      const { status } = first.status === 429 ? await send() : first;
      const [refusedMs] = stampsIn(text).stamps;
      if (status !== 200 || refusedMs === undefined || firstMs === undefined)
        throw new Error(`a failover ended with status ${status}: ${text.slice(0, 200)}`);
      times.push(firstMs - refusedMs);
    }
    return { failoverP50: quantile(times, 0.5), failoverP99: quantile(times, 0.99) };
  };
}

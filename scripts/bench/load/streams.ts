// A load of paced streams that begin at the same time. Every event carries the time at which the backend created it.

import { sharedNowMs } from "../clock.ts";
import { PATHS } from "../protocol.ts";
import { STAMP_CHARS, STAMP_MARK, stampsIn } from "../stamps.ts";
import { quantile } from "../statistics.ts";
import { turnBody, turnHeaders } from "./body.ts";
import { connectHttp, type HttpConnection, httpRequest } from "./http-connection.ts";
import type { Load, StreamLoad } from "./spec.ts";

/**
 * Opens the connections. Measures `delay` (from the event's stamp to its arrival), `gap` (between two events of a stream)
 * and `first` (from the request to the first event), each as `p50` and `p99` in ms.
 */
export async function prepareStreams({ origin, headers, streams, everyMs }: StreamLoad): Promise<Load> {
  const open = await Promise.all(Array.from({ length: streams }, () => connectHttp(origin)));
  return async (operations) => {
    const events = Math.round(operations / streams);
    const path = `${PATHS.turn}?paced=${events}&every=${everyMs}`;
    const requests = open.map((_connection, index) => {
      const session = `stream-${process.pid}-${index}`;
      return httpRequest(origin, path, turnHeaders(headers, session), turnBody(session, 1_000));
    });
    const all = await Promise.all(
      open.map((connection, index) => follow(connection, requests[index] as Uint8Array)),
    );
    const wrong = all.find(({ delays }) => delays.length !== events);
    if (wrong !== undefined) throw new Error(`a stream had ${wrong.delays.length} of ${events} events`);
    return {
      ...both(
        "delay",
        all.flatMap(({ delays }) => delays),
      ),
      ...both(
        "gap",
        all.flatMap(({ gaps }) => gaps),
      ),
      ...both(
        "first",
        all.map(({ first }) => first),
      ),
    };
  };
}

// --- internal ---

interface Followed {
  readonly delays: number[];
  readonly gaps: number[];
  first: number;
}

async function follow(connection: HttpConnection, request: Uint8Array): Promise<Followed> {
  const followed: Followed = { delays: [], gaps: [], first: Number.NaN };
  const sentMs = sharedNowMs();
  let previousMs: number | undefined;
  /** The end of the last piece, in which a stamp may begin. */
  let pending = "";
  const { status } = await connection.send(request, (data) => {
    const nowMs = sharedNowMs();
    const text = pending + data.toString("latin1");
    const { stamps, end } = stampsIn(text);
    for (const stamp of stamps) {
      followed.delays.push(nowMs - stamp);
      if (previousMs === undefined) followed.first = nowMs - sentMs;
      else followed.gaps.push(nowMs - previousMs);
      previousMs = nowMs;
    }
    pending = text.slice(Math.max(end, text.length - STAMP_MARK.length - STAMP_CHARS));
  });
  if (status !== 200) throw new Error(`a stream: status ${status}`);
  return followed;
}

function both(name: string, values: readonly number[]): Record<string, number> {
  return { [`${name}P50`]: quantile(values, 0.5), [`${name}P99`]: quantile(values, 0.99) };
}

// A load of requests in a closed loop.

import { turnBody, turnHeaders } from "./body.ts";
import { connectHttp, httpRequest } from "./http-connection.ts";
import type { Load, RequestLoad } from "./spec.ts";

/** Opens the connections. */
export async function prepareRequests(spec: RequestLoad): Promise<Load> {
  const { origin, path, headers, bodyBytes, connections, freshSessions = false } = spec;
  const open = await Promise.all(Array.from({ length: connections }, () => connectHttp(origin)));
  let sessions = 0;
  const request = (): Uint8Array => {
    const session = `session-${process.pid}-${sessions++}`;
    return httpRequest(origin, path, turnHeaders(headers, session), turnBody(session, bodyBytes));
  };
  const workers = open.map((connection) => ({ connection, request: request() }));
  return async (operations) => {
    let left = operations;
    await Promise.all(
      workers.map(async (worker) => {
        while (left-- > 0) {
          if (freshSessions) worker.request = request();
          const { status } = await worker.connection.send(worker.request);
          if (status !== 200) throw new Error(`POST ${path}: status ${status}`);
        }
      }),
    );
    return {};
  };
}

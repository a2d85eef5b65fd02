// A load of connections that stay open and silent, to measure the memory of each connection.

import { PATHS } from "../protocol.ts";
import { turnBody, turnHeaders } from "./body.ts";
import { connectHttp, httpRequest } from "./http-connection.ts";
import type { IdleLoad, Load } from "./spec.ts";
import { connectSocket } from "./web-socket.ts";

/** Every run opens more connections, some at a time, and leaves them open. */
export async function prepareIdle({ origin, headers, of }: IdleLoad): Promise<Load> {
  let serial = 0;
  const openStream = async (session: string): Promise<void> => {
    const connection = await connectHttp(origin);
    const body = turnBody(session, 1_000);
    const request = httpRequest(origin, `${PATHS.turn}?silent`, turnHeaders(headers, session), body);
    await new Promise<void>((resolve, reject) => {
      connection.send(request, () => resolve()).catch(reject);
    });
  };
  return async (operations) => {
    let left = operations;
    const opener = async (): Promise<void> => {
      while (left-- > 0) {
        const session = `idle-${process.pid}-${serial++}`;
        await (of === "sockets" ? connectSocket(origin, headers, session) : openStream(session));
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, opener));
    return {};
  };
}

// --- internal ---

const AT_A_TIME = 32;

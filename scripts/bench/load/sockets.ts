// Loads over WebSocket: turns and messages on open WebSockets, and new WebSockets.

import { quantile } from "../statistics.ts";
import { ECHO_MESSAGE } from "./body.ts";
import type { DialLoad, Load, SocketLoad } from "./spec.ts";
import { connectSocket } from "./web-socket.ts";

/** Opens the WebSockets. */
export async function prepareSockets({ origin, headers, sockets, exchange }: SocketLoad): Promise<Load> {
  const open = await Promise.all(
    Array.from({ length: sockets }, (_, index) =>
      connectSocket(origin, headers, `socket-${process.pid}-${index}`),
    ),
  );
  return async (operations) => {
    let left = operations;
    await Promise.all(
      open.map(async (socket) => {
        while (left-- > 0) await (exchange === "turn" ? socket.turn() : socket.echo(ECHO_MESSAGE));
      }),
    );
    return {};
  };
}

/** Measures `dialP50` and `dialP99`: the time from the start of the handshake to the first message of a turn, ms. */
export async function prepareDials({ origin, headers }: DialLoad): Promise<Load> {
  let dials = 0;
  return async (operations) => {
    const times: number[] = [];
    for (let dial = 0; dial < operations; dial++) {
      const beganMs = performance.now();
      const socket = await connectSocket(origin, headers, `dial-${process.pid}-${dials++}`);
      const openMs = performance.now() - beganMs;
      times.push(openMs + (await socket.turn()));
      socket.close();
    }
    return { dialP50: quantile(times, 0.5), dialP99: quantile(times, 0.99) };
  };
}

// A WebSocket client on Bun's built-in client, which is the cheapest available.

import { PATHS, TURN_MESSAGES } from "../protocol.ts";
import { turnHeaders, turnMessage } from "./body.ts";

export interface ClientSocket {
  /** Runs one turn. Resolves to the time until its first message, ms. */
  turn(): Promise<number>;
  /** Sends `message` and waits until the backend returns it. */
  echo(message: string): Promise<void>;
  close(): void;
}

/** Opens a WebSocket to `origin`. Rejects if the handshake fails. */
export function connectSocket(
  origin: string,
  headers: Readonly<Record<string, string>>,
  session: string,
): Promise<ClientSocket> {
  const socket = new WebSocket(`${origin.replace(/^http/, "ws")}${PATHS.turn}`, {
    headers: { ...turnHeaders(headers, session), "openai-beta": "responses_websockets=2026-02-06" },
  });
  const request = turnMessage(session);
  let receive = (_message: string): void => {};
  let fail = (_error: Error): void => {};
  const client: ClientSocket = {
    turn: () =>
      new Promise((resolve, reject) => {
        fail = reject;
        const sentMs = performance.now();
        let firstMs: number | undefined;
        let messages = 0;
        receive = (message) => {
          firstMs ??= performance.now();
          if (++messages < TURN_MESSAGES) return;
          if (message.startsWith('{"type":"response.completed"')) resolve(firstMs - sentMs);
          else reject(new Error(`message ${messages} of a turn is ${message.slice(0, 200)}`));
        };
        socket.send(request);
      }),
    echo: (message) =>
      new Promise((resolve, reject) => {
        fail = reject;
        receive = (returned) =>
          returned === message ? resolve() : reject(new Error(`an echo is ${returned.slice(0, 200)}`));
        socket.send(message);
      }),
    close: () => {
      fail = () => {};
      socket.close();
    },
  };
  return new Promise((resolve, reject) => {
    fail = reject;
    socket.onopen = () => resolve(client);
    socket.onmessage = ({ data }) => receive(String(data));
    socket.onclose = ({ code }) => fail(new Error(`${origin} closed the WebSocket with ${code}`));
  });
}

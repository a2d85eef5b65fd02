// Relays a turn on a WebSocket from the commit barrier to its end.

import type { Lease } from "../../upstream/leases.ts";
import { failureEvent } from "../refusal.ts";
import { createIdleWatch } from "../timeouts.ts";
import type { TurnReader } from "../turn/turn-reader.ts";
import { TOO_BIG } from "./begin-turn.ts";
import type { TunnelContext, TunnelParts } from "./tunnel-parts.ts";
import type { Message } from "./upstream-socket.ts";

export type RelayEnd =
  | { readonly kind: "over" }
  /** The turn failed, and the client has to send it again. */
  | { readonly kind: "cut" }
  /** The upstream's socket was closed in the middle of the turn, with this code. */
  | { readonly kind: "close"; readonly code: number; readonly reason: string }
  /** The tunnel was closed. */
  | { readonly kind: "closed" };

/** Forwards the events until the turn ends. Throws what `reader.read` throws. */
export function relayTurn(
  { deps, settings }: TunnelContext,
  { client, upstream, closing }: TunnelParts,
  lease: Lease,
  reader: TurnReader,
): Promise<RelayEnd> {
  const { socket } = upstream.current();
  if (closing.isClosed) return Promise.resolve({ kind: "closed" });
  return new Promise((resolve, reject) => {
    const patienceMs = () => lease.upstream.patienceMs(settings().timeouts.idleMs);
    const idle = createIdleWatch(deps.clock, patienceMs, () => {
      // An upstream that has to wait for the client is not silent.
      if (client.isSlow()) return idle.begin();
      lease.broke();
      finish({ kind: "close", code: 1006, reason: "" });
    });
    const stop = (): void => {
      idle.stop();
      unlisten();
      socket.listen(undefined);
    };
    const finish = (end: RelayEnd): void => {
      stop();
      resolve(end);
    };
    const closed = () => finish({ kind: "closed" });

    const take = (message: Message): void => {
      if (typeof message !== "string") return client.send(message);
      const meaning = reader.read(undefined, () => message);
      if (meaning.kind === "failed") {
        if (meaning.answer === "cut") return finish({ kind: "cut" });
        client.send(failureEvent(message, meaning.failure));
        return finish({ kind: "over" });
      }
      client.send(meaning.changed ?? message);
      if (meaning.kind === "over") finish({ kind: "over" });
    };

    const unlisten = closing.listen(closed);
    idle.begin();
    socket.listen({
      alive: idle.begin,
      message: (message) => {
        idle.begin();
        try {
          take(message);
        } catch (error) {
          stop();
          reject(error);
        }
      },
      closed: (code, reason) => {
        if (code !== TOO_BIG) lease.broke();
        finish({ kind: "close", code, reason });
      },
    });
  });
}

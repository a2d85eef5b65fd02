// A client behind a load balancer: each turn of its session goes to the next replica.

import { createSocketClient, createSseClient, type TurnClient } from "../../src/mock/client.ts";
import type { Replica } from "./replicas.ts";

export interface RoamingOptions {
  readonly replicas: readonly Replica[];
  readonly session: string;
  readonly transport: "sse" | "websocket";
  /** True for a replica that the load balancer has taken out. Default: none. */
  readonly isOut?: (replica: Replica) => boolean;
  /** The index of the replica that gets the first turn. Default: 0. */
  readonly first?: number;
}

/**
 * A client whose turns visit the replicas one after the other, each over a new connection. A turn whose replica is
 * taken out or restarted meanwhile is sent to the next one; every other error is the client's.
 */
export function createRoamingClient(options: RoamingOptions): TurnClient {
  const { replicas, session, transport, isOut = () => false, first = 0 } = options;
  let next = first;
  let current: { readonly replica: Replica; readonly pid: number } | undefined;
  const url = (): string => {
    const serving = replicas.filter((replica) => !isOut(replica));
    const replica = serving[next++ % serving.length];
    if (replica === undefined) throw new Error("the load balancer has no replica left");
    current = { replica, pid: replica.pid };
    return replica.url;
  };
  const client = transport === "sse" ? createSseClient(url, session) : createSocketClient(url, session);
  const isLost = (): boolean =>
    current !== undefined && (isOut(current.replica) || current.replica.pid !== current.pid);
  return {
    turn: async (text, model) => {
      client.close();
      for (;;)
        try {
          return await client.turn(text, model);
        } catch (error) {
          if (!isLost()) throw error;
        }
    },
    close: client.close,
  };
}

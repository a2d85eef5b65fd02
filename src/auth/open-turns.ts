// Knows which renewals are under way, so that a proxy that shuts down can finish them.

import type { RenewalTurns } from "./renewal-turns.ts";

export interface OpenTurns {
  /** The given turns; those that it grants are noted until they end. */
  readonly turns: RenewalTurns;
  /** Resolves when no granted turn is open. */
  ended(): Promise<void>;
}

export function openTurns(turns: RenewalTurns): OpenTurns {
  const open = new Set<Promise<void>>();
  return {
    turns: {
      begin: async (...request) => {
        const turn = await turns.begin(...request);
        if (turn.kind !== "granted") return turn;
        const { promise, resolve } = Promise.withResolvers<void>();
        open.add(promise);
        const end: typeof turn.end = async (outcome) => {
          await turn.end(outcome);
          open.delete(promise);
          resolve();
        };
        return { kind: "granted", end };
      },
    },
    ended: async () => void (await Promise.all(open)),
  };
}

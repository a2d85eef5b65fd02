// Counts what a replica does, for the metrics.

import type { RenewalTurns } from "../auth/renewal-turns.ts";
import { type Count, createCounter } from "../core/metrics/counter.ts";

/** The counts of a replica since its start. The values of `renewals` are an outcome and `RenewedBy`. */
export interface SharingCounts {
  readonly renewals: readonly Count[];
  /** Comparisons of root and engine. */
  readonly comparisons: { readonly done: number; readonly failed: number };
}

/** Who sent the refresh token: this replica, or another one, from which this one has the result. */
type RenewedBy = "self" | "replica";

/** The outcome of a renewal, as the metrics of the token endpoint name it. */
const OUTCOMES = { renewed: "renewed", dead: "rejected", failed: "failed" } as const;

export interface ReplicaCounts {
  /** `turns`, whose outcomes are counted. */
  counted(turns: RenewalTurns): RenewalTurns;
  /** The root got a login that another replica has renewed. */
  renewedElsewhere(): void;
  compared(result: "done" | "failed"): void;
  read(): SharingCounts;
}

export function createReplicaCounts(): ReplicaCounts {
  const renewals = createCounter();
  const comparisons = { done: 0, failed: 0 };
  const renewed = (outcome: keyof typeof OUTCOMES, by: RenewedBy) => renewals.add([OUTCOMES[outcome], by]);
  return {
    counted: (turns) => ({
      begin: async (...request) => {
        const turn = await turns.begin(...request);
        if (turn.kind === "dead") renewed("dead", "replica");
        if (turn.kind !== "granted") return turn;
        return {
          kind: "granted",
          end: async (outcome) => {
            renewed(outcome.kind, "self");
            await turn.end(outcome);
          },
        };
      },
    }),
    renewedElsewhere: () => renewed("renewed", "replica"),
    compared: (result) => {
      comparisons[result]++;
    },
    read: () => ({ renewals: renewals.counts(), comparisons: { ...comparisons } }),
  };
}

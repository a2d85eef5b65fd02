// How many turns accounts with a concurrency limit serve on all replicas. Each replica sends its own count to the
// others, and assumes that each of them has meanwhile begun as many turns as itself. A replica that does not hear from
// the others uses an equal share of the limit.

import { z } from "zod";
import { NO_TURNS, type TurnUse } from "../core/turn-limit.ts";
import type { Clock } from "../deps.ts";
import { createCounters } from "./counters.ts";
import { IN_FLIGHT_MS } from "./key-shares.ts";
import type { SignalKind, Signals } from "./signals.ts";

export interface TurnShares {
  /** This replica serves `turns` turns on the account with this id now. The others learn it immediately. */
  counted(id: string, turns: number): void;
  /** What the others leave of the account's limit. */
  elsewhere(id: string): Omit<TurnUse, "turns">;
  /** From now on, `changed` is called with an account's id when `elsewhere` has changed because of a message. */
  watch(changed: (id: string) => void): void;
}

/** The turns of a proxy that works alone. */
export const OWN_TURNS: TurnShares = { counted: () => {}, elsewhere: () => NO_TURNS, watch: () => {} };

export interface TurnSharesContext {
  readonly clock: Pick<Clock, "now" | "after">;
  readonly signals: Pick<Signals, "put" | "watch">;
  /** The id of this replica. */
  readonly replica: string;
  /** How many replicas this one knows, including itself. */
  readonly replicas: () => number;
  /** True while this replica does not hear from the others. */
  readonly isCutOff: () => boolean;
}

export function createTurnShares({
  clock,
  signals,
  replica,
  replicas,
  isCutOff,
}: TurnSharesContext): TurnShares {
  const own = new Map<string, OwnTurns>();
  let changed: (id: string) => void = () => {};

  const ownOf = (id: string): OwnTurns => {
    let turns = own.get(id);
    if (turns === undefined) {
      turns = new OwnTurns();
      own.set(id, turns);
    }
    return turns;
  };

  const counters = createCounters<ShownTurns>({
    clock,
    signals,
    kind: TURNS,
    replica,
    own: (id) => ownOf(id).shown(),
    isPassing: ({ turns }) => turns > 0,
    received: (id) => {
      const seen = counters.seen(id);
      if (seen !== undefined) ownOf(id).seen(seen);
      changed(id);
    },
  });

  return {
    counted: (id, turns) => {
      if (ownOf(id).count(turns)) counters.changed(id, true);
    },
    elsewhere: (id) => {
      if (isCutOff()) return { turnsElsewhere: 0, turnSharers: replicas() };
      let turnsElsewhere = ownOf(id).unseen() * (replicas() - 1);
      for (const { value, endsMs } of counters.others(id).values())
        if (endsMs > clock.now()) turnsElsewhere += value.turns;
      return { turnsElsewhere, turnSharers: 1 };
    },
    watch: (listener) => {
      changed = listener;
    },
  };
}

// --- internal ---

/** The turns of one replica on one account, as it sends them to the others. */
type ShownTurns = z.output<typeof ShownTurns>;
const ShownTurns = z.object({
  turns: z.number().int().nonnegative(),
  /** Numbers the counts that the replica sends, so that it knows which one the others have. */
  serial: z.number().int().nonnegative(),
});

const TURNS: SignalKind<ShownTurns> = {
  kind: "turns-at-once",
  schema: ShownTurns,
  lifetimeMs: IN_FLIGHT_MS,
  delayMs: 0,
};

/** How many counts are remembered until the others know them. If an older one is forgotten, turns only seem newer. */
const MOST_SHOWN = 64;

/** The turns of this replica on one account, and those that the others know. */
class OwnTurns {
  #turns = 0;
  #serial = 0;
  /** The others know of this many turns that have been in flight since. */
  #known = 0;
  /** The last counts that were sent, oldest first, and the fewest turns since each. */
  #shown: { readonly serial: number; least: number }[] = [];

  /** Returns false if nothing has changed. */
  count(turns: number): boolean {
    if (turns === this.#turns) return false;
    this.#turns = turns;
    // A turn that replaces one that has ended is new to the others.
    this.#known = Math.min(this.#known, turns);
    for (const one of this.#shown) one.least = Math.min(one.least, turns);
    return true;
  }

  shown(): ShownTurns {
    const serial = ++this.#serial;
    this.#shown = [...this.#shown.slice(1 - MOST_SHOWN), { serial, least: this.#turns }];
    return { turns: this.#turns, serial };
  }

  seen({ serial }: ShownTurns): void {
    const index = this.#shown.findIndex((one) => one.serial === serial);
    const seen = this.#shown[index];
    if (seen === undefined) return;
    this.#known = seen.least;
    this.#shown = this.#shown.slice(index);
  }

  /** The turns that the others may not know yet. */
  unseen(): number {
    return this.#turns - this.#known;
  }
}

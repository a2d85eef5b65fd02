// The search for state that belongs to one account (upstream/state-paths.ts): which upstreams are asked for it, how
// many of them, and for how long.

import type { Clock } from "../deps.ts";
import type { Pool } from "../upstream/pool.ts";
import type { StateRequest } from "../upstream/state-owners.ts";

export interface StateSearch {
  /** The upstreams that may have the state, the most likely one first. */
  readonly owners: readonly string[];
  /** True if the response names a new file, which then belongs to the upstream. */
  readonly createsFile: boolean;
  /** The longest time for an upstream to begin its response, ms. */
  readonly longestAskMs: number;
  /** An upstream does not have the state. Returns true while another one may be asked. */
  missed(): boolean;
  /** True once an upstream did not have the state. */
  hasMissed(): boolean;
  /** False once the search has taken so long that no further upstream is asked. */
  isInTime(): boolean;
  /** `upstreamId` has served the request. */
  served(upstreamId: string): void;
}

/** Begins the search for the state that a request with `method` asks for. */
export function createStateSearch(
  { stateOwners }: Pick<Pool, "stateOwners">,
  clock: Pick<Clock, "monotonic">,
  state: StateRequest,
  method: string,
): StateSearch {
  const beganAt = clock.monotonic();
  let misses = 0;
  const isInTime = () => clock.monotonic() - beganAt < LONGEST_SEARCH_MS;
  return {
    owners: stateOwners.ownersOf(state),
    createsFile: state.kind === "files" && state.fileId === undefined && method === "POST",
    longestAskMs: state.isSearchable ? LONGEST_ASK_MS : Number.POSITIVE_INFINITY,
    missed: () => {
      misses++;
      return state.isSearchable && misses <= MOST_OTHERS && isInTime();
    },
    hasMissed: () => misses > 0,
    isInTime,
    served: (upstreamId) => stateOwners.served(state, upstreamId),
  };
}

// --- internal ---

/** How many further upstreams are asked for state that the first one does not have. */
const MOST_OTHERS = 4;
/** Codex shows nothing while it waits for the search, so the search must not take long. */
const LONGEST_SEARCH_MS = 20_000;
const LONGEST_ASK_MS = 10_000;

// Shares the bindings of sessions with the other replicas of the pool: each one made or moved is sent to all of them,
// and a replica that does not know a session asks the engine once, for a moment.

import type { Signals } from "../cluster/signals.ts";
import { BoundedMap } from "../core/bounded-map.ts";
import type { Affinity } from "./affinity.ts";
import { bindingKey } from "./session-binding.ts";
import { BINDING } from "./signal-kinds.ts";
import { notesKey } from "./state-keys.ts";
import type { StateRequest } from "./state-owners.ts";

export interface BindingSignals {
  /**
   * Asks for the bindings that a request needs and this replica does not know. Undefined if it knows them, or has asked
   * before. Resolves within `ASK_MS`. Never throws.
   */
  learn(session: string | undefined, state?: StateRequest): Promise<unknown> | undefined;
}

/** Longest wait of a request for the engine, ms. Without an answer the policy chooses the account. */
const ASK_MS = 30;
/** How many sessions that the engine was asked for are remembered. Each is asked for once. */
const MOST_ASKED = 10_000;

export function createBindingSignals(signals: Signals, affinity: Affinity): BindingSignals {
  const asked = new BoundedMap<string, true>(MOST_ASKED);
  affinity.watch((session, { upstreamId, held, earlierIds = [] }) =>
    signals.put(BINDING, session, { upstream: upstreamId, held, earlier: [...earlierIds] }),
  );
  signals.watch(BINDING, ({ name, value: { upstream, held, earlier } }) =>
    affinity.adopt(name, { upstreamId: upstream, held, earlierIds: earlier }),
  );
  const isKnown = (key: string) => asked.has(key) || affinity.get(key) !== undefined;
  const ask = async (key: string): Promise<void> => {
    asked.set(key, true);
    await signals.ask(BINDING, bindingKey(key), ASK_MS);
    // A session that was found is asked for again once it has been forgotten here.
    if (affinity.get(key) !== undefined) asked.delete(key);
  };
  return {
    learn: (session, state) => {
      if (session === undefined) return undefined;
      const isNew = !isKnown(session);
      const notes = state?.kind === "notes" ? notesKey(session) : undefined;
      if (notes !== undefined && !isKnown(notes))
        return Promise.all([ask(notes), isNew ? ask(session) : undefined]);
      return isNew ? ask(session) : undefined;
    },
  };
}

// Remembers which account has the state that belongs to one account (state-paths.ts), and in which order accounts are
// asked for it:
//
//   notes     the account to which the session's notes were written; then as for the history
//   history   the session's current account, then its earlier ones, the latest first, because each turn becomes history
//             of the account that served it
//   a file    the account on which it was created
//
// The accounts are kept among the bindings of sessions, under keys of their own.

import type { Affinity } from "./affinity.ts";
import { fileKey, notesKey } from "./state-keys.ts";
import type { StatePath } from "./state-paths.ts";

/** A request about the state of `session`. */
export type StateRequest = StatePath & { readonly session: string | undefined };

export interface StateOwners {
  /** The upstreams that may have the state, the most likely one first. */
  ownersOf(state: StateRequest): readonly string[];
  /** `upstreamId` has served the request. */
  served(state: StateRequest, upstreamId: string): void;
  /** The file `fileId` was created on `upstreamId`. */
  created(fileId: string, upstreamId: string): void;
}

export function createStateOwners(affinity: Pick<Affinity, "get" | "bind">): StateOwners {
  const boundTo = (key: string): readonly (string | undefined)[] => {
    const { upstreamId, servedId, earlierIds = [] } = affinity.get(key) ?? {};
    return [upstreamId, servedId, ...earlierIds];
  };
  return {
    ownersOf: (state) => {
      if (state.kind === "files")
        return state.fileId === undefined ? [] : distinct(boundTo(fileKey(state.fileId)));
      const { session } = state;
      if (session === undefined) return [];
      const notes = state.kind === "notes" ? boundTo(notesKey(session)) : [];
      // The notes of a session should be in one place, so the account that serves the session now comes second.
      const [latest, ...earlier] = notes;
      return distinct([latest, ...boundTo(session), ...earlier]);
    },
    served: (state, upstreamId) => {
      if (state.kind !== "notes" || state.session === undefined) return;
      const key = notesKey(state.session);
      // A read of an older note must not move the next write away from the newer ones.
      if (
        NOTE_WRITES.has(state.operation) ||
        (state.operation === "read_file" && affinity.get(key) === undefined)
      )
        affinity.bind(key, upstreamId);
    },
    created: (fileId, upstreamId) => affinity.bind(fileKey(fileId), upstreamId),
  };
}

// --- internal ---

const NOTE_WRITES: ReadonlySet<string> = new Set(["append_to_file", "write_file"]);

function distinct(ids: readonly (string | undefined)[]): string[] {
  return [...new Set(ids.filter((id) => id !== undefined))];
}

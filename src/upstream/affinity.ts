// Remembers which upstream each session is bound to. The number of sessions is limited; the least recently used are
// forgotten first. Bindings survive a restart (affinity-file.ts). Requests do not wait for the disk, and do not fail if
// the file cannot be written.

import { type AffinityFile, openJournal } from "./affinity-file.ts";
import { adopted, type Binding, bindingKey, movedTo, without } from "./session-binding.ts";
import { isStateKey } from "./state-keys.ts";

export interface BoundSession extends Binding {
  readonly session: string;
}

export interface Affinity {
  get(session: string): Binding | undefined;
  bind(session: string, upstreamId: string, held?: boolean): void;
  /** Takes the binding of a session from another replica. Does not call the function given to `watch`. */
  adopt(session: string, binding: Binding): void;
  /** Calls `bound` with each session that is bound or moved here. */
  watch(bound: (session: string, binding: Binding) => void): void;
  /** Remembers that `upstreamId` served the last turn of a bound session. Does not move the session. */
  noteServed(session: string, upstreamId: string): void;
  /**
   * The full id of the bound session that begins with `start`. Returns `start` unchanged if it is itself a bound id, or
   * if no session or more than one begins with it.
   */
  fullId(start: string): string;
  /**
   * The sessions of an upstream, the most recently used first. Like `latest` and `sessionCounts`, without the keys of
   * other state.
   */
  sessionsOf(upstreamId: string): string[];
  /** The `most` most recently used sessions, the latest first. */
  latest(most: number): BoundSession[];
  /** The number of sessions of each upstream that has any. */
  sessionCounts(): ReadonlyMap<string, number>;
  /** Forgets every session of an upstream that was removed. */
  drop(upstreamId: string): void;
  /** Writes pending changes to the file. */
  flush(): void;
}

/** How many sessions are remembered: weeks of heavy use, less than 2 MB. */
const MOST_SESSIONS = 10_000;

/** Without `file`, a restart loses all bindings. */
export function createAffinity(file?: AffinityFile, most = MOST_SESSIONS): Affinity {
  // A Map keeps insertion order: re-inserting on use makes the first entry the least recently used.
  const owners = new Map<string, Binding>();
  const journal = file === undefined ? undefined : openJournal(file, owners, most);

  let watcher: ((session: string, binding: Binding) => void) | undefined;

  const put = (session: string, binding: Binding) => {
    owners.delete(session);
    owners.set(session, binding);
    const oldest = owners.size > most ? owners.keys().next().value : undefined;
    if (oldest !== undefined) owners.delete(oldest);
  };

  return {
    get: (key) => {
      const session = bindingKey(key);
      const binding = owners.get(session);
      if (binding !== undefined) put(session, binding);
      return binding;
    },
    bind: (key, upstreamId, held = false) => {
      const session = bindingKey(key);
      const before = owners.get(session);
      const servedId = before?.servedId ?? before?.upstreamId;
      const binding = {
        ...movedTo(before, upstreamId, held),
        ...(servedId === undefined ? {} : { servedId }),
      };
      put(session, binding);
      if (before?.upstreamId === upstreamId && before.held === held) return;
      journal?.note(session, binding);
      watcher?.(session, binding);
    },
    adopt: (key, given) => {
      const session = bindingKey(key);
      const before = owners.get(session);
      // A replica that connects gets all bindings again, and must not count that as a use of the sessions.
      if (before?.upstreamId === given.upstreamId && before.held === given.held) return;
      const binding = adopted(before, given);
      put(session, binding);
      journal?.note(session, binding);
    },
    watch: (bound) => {
      watcher = bound;
    },
    noteServed: (key, servedId) => {
      const session = bindingKey(key);
      const binding = owners.get(session);
      if (binding !== undefined) put(session, { ...binding, servedId });
    },
    fullId: (start) => {
      if (owners.has(start)) return start;
      const [only = start, ...others] = [...owners.keys()].filter((session) => session.startsWith(start));
      return others.length === 0 ? only : start;
    },
    sessionsOf: (upstreamId) =>
      [...owners]
        .flatMap(([key, binding]) => (binding.upstreamId === upstreamId && !isStateKey(key) ? [key] : []))
        .reverse(),
    latest: (most) =>
      [...owners]
        .filter(([key]) => !isStateKey(key))
        .slice(-most)
        .map(([session, binding]) => ({ session, ...binding }))
        .reverse(),
    sessionCounts: () => {
      const counts = new Map<string, number>();
      for (const [key, { upstreamId }] of owners)
        if (!isStateKey(key)) counts.set(upstreamId, (counts.get(upstreamId) ?? 0) + 1);
      return counts;
    },
    drop: (upstreamId) => {
      for (const [session, binding] of owners)
        if (binding.upstreamId === upstreamId) owners.delete(session);
        else if (binding.earlierIds?.includes(upstreamId))
          owners.set(session, { ...binding, earlierIds: without(binding.earlierIds, upstreamId) });
      journal?.outdate();
    },
    flush: () => journal?.flush(),
  };
}

// Which upstream a session belongs to. Bounded: the sessions used longest ago are forgotten first.

export interface Affinity {
  /** The upstream `session` belongs to. */
  get(session: string): string | undefined;
  bind(session: string, upstreamId: string): void;
  /** Forgets every session of an upstream that is gone. */
  drop(upstreamId: string): void;
}

/** Sessions remembered: weeks of heavy use, well under 2 MB. */
const MOST_SESSIONS = 10_000;

export function createAffinity(most = MOST_SESSIONS): Affinity {
  // A Map keeps insertion order: re-inserting on use makes the first entry the one used longest ago.
  const owners = new Map<string, string>();
  const put = (session: string, upstreamId: string) => {
    owners.delete(session);
    owners.set(session, upstreamId);
    const oldest = owners.size > most ? owners.keys().next().value : undefined;
    if (oldest !== undefined) owners.delete(oldest);
  };
  return {
    get: (session) => {
      const owner = owners.get(session);
      if (owner !== undefined) put(session, owner);
      return owner;
    },
    bind: put,
    drop: (upstreamId) => {
      for (const [session, owner] of owners) if (owner === upstreamId) owners.delete(session);
    },
  };
}

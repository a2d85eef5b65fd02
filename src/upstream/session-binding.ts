// The binding of one session, and how it changes.

import { createHash } from "node:crypto";

/**
 * Binds a session to an upstream because of its prompt cache, which is only an advantage, or because of its history.
 */
export interface Binding {
  readonly upstreamId: string;
  /** True if only this upstream can decrypt the session's history, so no other one can serve it. */
  readonly held: boolean;
  /** The upstream that served the session's last turn; undefined if unknown, for example after a restart. */
  readonly servedId?: string;
  /** The upstreams that the session was bound to before, the latest first; at most `MOST_EARLIER`. Default: none. */
  readonly earlierIds?: readonly string[];
}

/** How many earlier upstreams of a session are remembered, because they may still have its notes and history. */
const MOST_EARLIER = 4;

/** Session keys are UUIDs; a longer one is kept as its hash. */
const LONGEST_KEY = 200;

/** The key under which the binding of `session` is kept. */
export function bindingKey(session: string): string {
  return session.length <= LONGEST_KEY ? session : createHash("sha256").update(session).digest("hex");
}

/** The binding of a session that moves from `before` to `upstreamId`, or stays there. */
export function movedTo(before: Binding | undefined, upstreamId: string, held: boolean): Binding {
  if (before === undefined) return { upstreamId, held };
  const last = before.upstreamId === upstreamId ? [] : [before.upstreamId];
  const earlierIds = [...last, ...without(before.earlierIds ?? [], upstreamId, ...last)].slice(
    0,
    MOST_EARLIER,
  );
  return { upstreamId, held, ...(earlierIds.length === 0 ? {} : { earlierIds }) };
}

/** The binding of a session that another replica has bound. It keeps the upstreams of `before` as earlier ones. */
export function adopted(
  before: Binding | undefined,
  { upstreamId, held, earlierIds = [] }: Binding,
): Binding {
  const known = movedTo(before, upstreamId, held).earlierIds ?? [];
  const all = [...without(earlierIds, upstreamId), ...without(known, ...earlierIds)].slice(0, MOST_EARLIER);
  return { upstreamId, held, ...(all.length === 0 ? {} : { earlierIds: all }) };
}

/** `ids` without those in `dropped`. */
export function without(ids: readonly string[], ...dropped: readonly string[]): string[] {
  return ids.filter((id) => !dropped.includes(id));
}

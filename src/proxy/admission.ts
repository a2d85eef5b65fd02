// Tracks which client each request belongs to when clients must authenticate. Decides what the client may learn, and
// ends everything that is open for a key when the key is removed.

import type { Access, Asking, Holder } from "../auth/access.ts";
import type { Grant } from "../auth/stub.ts";

export interface Admission {
  /** The authenticated client; undefined if clients need not authenticate, or if this one did not. */
  holderOf(request: Asking, pathKey: string | undefined): Holder | undefined;
  /** Whether the client may learn which accounts exist. */
  readsAccounts(holder: Holder | undefined): boolean;
  /** Calls `end` when the holder's grant ends, unless the returned function is called first. */
  enter(holder: Holder, end: () => void): () => void;
  /** Immediately ends everything in progress for `grant`. */
  end(grant: Grant): void;
}

/** `clientAuth`: whether the current settings require clients to authenticate. */
export function createAdmission(access: Pick<Access, "holderOf">, clientAuth: () => boolean): Admission {
  const open = new Map<Grant, Set<() => void>>();
  return {
    holderOf: (request, pathKey) => (clientAuth() ? access.holderOf(request, pathKey) : undefined),
    readsAccounts: (holder) => (holder === undefined ? !clientAuth() : holder.readsAccounts),
    enter: ({ grant }, end) => {
      const ends = open.get(grant) ?? new Set();
      open.set(grant, ends.add(end));
      return () => {
        ends.delete(end);
        if (ends.size === 0 && open.get(grant) === ends) open.delete(grant);
      };
    },
    end: (grant) => {
      const ends = open.get(grant) ?? [];
      open.delete(grant);
      for (const end of ends) end();
    },
  };
}

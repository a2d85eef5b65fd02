// On whose behalf requests are served, where clients must show who they are: what they may know, and that everything
// which is open for a key ends with it.

import type { Access, Asking, Holder } from "../auth/access.ts";
import type { Grant } from "../auth/stub.ts";

export interface Admission {
  /** Who asks; undefined where clients need not show it, and for who has shown nothing. */
  holderOf(request: Asking, pathKey: string | undefined): Holder | undefined;
  /** Whether it may learn which accounts there are. */
  readsAccounts(holder: Holder | undefined): boolean;
  /** Calls `end` when the holder's grant ends, unless the returned function was called before. */
  enter(holder: Holder, end: () => void): () => void;
  /** Ends what is under way for `grant`, now. */
  end(grant: Grant): void;
}

/** `clientAuth`: whether clients must show who they are, as the settings say now. */
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

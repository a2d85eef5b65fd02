// By which limit the backend refuses which model. The limits of an account are named for features that clients cannot
// map to models, but a refusal names both: the request's model, and the limit that was reached.

import type { RefusedBy } from "../core/meters.ts";

export interface RefusedLimits {
  readonly of: RefusedBy;
  /** A request for `model` was refused by the limit with this id. */
  note(model: string, limitId: string): void;
}

/** Far more models than the backend has. */
const MOST_MODELS = 256;

export function createRefusedLimits(): RefusedLimits {
  const known = new Map<string, string>();
  return {
    of: (model) => known.get(model),
    note: (model, limitId) => {
      if (known.size >= MOST_MODELS && !known.has(model)) known.clear();
      known.set(model, limitId);
    },
  };
}

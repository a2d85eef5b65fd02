// Remembers which limit the backend names when it refuses a model. Limits are named after features, which clients
// cannot map to models. A refusal shows the mapping: the request has the model, and the response names the exhausted
// limit.

import type { RefusedBy } from "../core/meters.ts";

export interface RefusedLimits {
  readonly of: RefusedBy;
  /** Records that a request for `model` was refused because of the limit with this id. */
  note(model: string, limitId: string): void;
}

/** Far above the number of models at the backend. */
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

// Remembers which limit the backend names when it refuses a model. Limits are named after features, which clients
// cannot map to models. A refusal shows the mapping: the request has the model, and the response names the exhausted
// limit. The mapping ends with the limit's reset, because a limit that only refusals name has no figures.

import type { RefusedBy } from "../core/meters.ts";
import type { Clock } from "../deps.ts";

export interface RefusedLimits {
  readonly of: RefusedBy;
  /** Records that a request for `model` was refused because of the limit with this id, until `untilMs` (Unix ms). */
  note(model: string, limitId: string, untilMs: number): void;
}

/** Far above the number of models at the backend. */
const MOST_MODELS = 256;

export function createRefusedLimits(clock: Pick<Clock, "now">): RefusedLimits {
  const known = new Map<string, { readonly limitId: string; readonly untilMs: number }>();
  const current = (model: string) => {
    const refused = known.get(model);
    return refused !== undefined && refused.untilMs > clock.now() ? refused : undefined;
  };
  return {
    of: (model) => current(model)?.limitId,
    note: (model, limitId, untilMs) => {
      if (known.size >= MOST_MODELS && !known.has(model)) known.clear();
      const before = current(model);
      const isLonger = before?.limitId === limitId && before.untilMs > untilMs;
      known.set(model, isLonger ? before : { limitId, untilMs });
    },
  };
}

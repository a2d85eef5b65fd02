// By which limit the backend refuses which model. The limits of an account are named for features that clients cannot
// map to models, but a refusal names both: the request's model, and the limit that was reached. That is believed until
// the limit's reset. Later the figures count again, because a limit that only refusals name has none.

import type { RefusedBy } from "../core/meters.ts";
import type { Clock } from "../deps.ts";

export interface RefusedLimits {
  readonly of: RefusedBy;
  /** A request for `model` was refused by the limit with this id until `untilMs`, Unix ms. */
  note(model: string, limitId: string, untilMs: number): void;
}

/** Far more models than the backend has. */
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

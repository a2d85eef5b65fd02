// Finds the upstreams that have a model in their catalogues.

import { BoundedMap } from "../core/bounded-map.ts";
import type { Clock } from "../deps.ts";

/** The ids of the upstreams that may have `model`; undefined if the catalogues exclude no upstream. */
export type Offering = (
  model: string,
  ids: readonly { readonly id: string }[],
) => ReadonlySet<string> | undefined;

export interface OfferingContext {
  readonly clock: Pick<Clock, "monotonic">;
  /** True if the upstream's catalogue lists `model`; undefined if the catalogue is unknown. */
  readonly offers: (upstreamId: string, model: string) => boolean | undefined;
  /** True if the upstream never serves `model`. */
  readonly refuses: (upstreamId: string, model: string) => boolean;
}

/** The result for a thousand upstreams may be ten milliseconds old; for a few it is computed for each request. */
const UPSTREAMS_PER_MS_OF_AGE = 100;
/** Far above the number of models at the backend. */
const MOST_MODELS = 256;

export function createOffering(context: OfferingContext): Offering {
  const { clock } = context;
  const known = new BoundedMap<string, KnownOffering>(MOST_MODELS);
  return (model, upstreams) => {
    const ageMs = Math.floor(upstreams.length / UPSTREAMS_PER_MS_OF_AGE);
    if (ageMs === 0) return offering(model, upstreams, context);
    const nowMs = clock.monotonic();
    const before = known.get(model);
    if (before !== undefined && before.untilMs > nowMs) return before.ids;
    const ids = offering(model, upstreams, context);
    known.set(model, { ids, untilMs: nowMs + ageMs });
    return ids;
  };
}

// --- internal ---

interface KnownOffering {
  readonly ids: ReadonlySet<string> | undefined;
  /** Monotonic ms. */
  readonly untilMs: number;
}

function offering(
  model: string,
  upstreams: readonly { readonly id: string }[],
  { offers, refuses }: OfferingContext,
): ReadonlySet<string> | undefined {
  let lists = false;
  const without = new Set<string>();
  const refusing = new Set<string>();
  for (const { id } of upstreams) {
    if (refuses(id, model)) {
      refusing.add(id);
      continue;
    }
    const offer = offers(id, model);
    if (offer === true) lists = true;
    else if (offer === false) without.add(id);
  }
  // If no catalogue lists the model, all catalogues are ignored.
  const excluded = lists ? new Set([...refusing, ...without]) : refusing;
  if (excluded.size === 0) return undefined;
  return new Set(upstreams.flatMap(({ id }) => (excluded.has(id) ? [] : [id])));
}

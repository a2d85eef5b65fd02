// Decides which turns get a trace: OpenTelemetry's samplers, chosen by OTEL_TRACES_SAMPLER.

import type { TraceParent } from "./traceparent.ts";

/** Whether a trace with this id is recorded. `parent`: the client's span, if it named one. */
export type Sampler = (traceId: string, parent: TraceParent | undefined) => boolean;

/**
 * The sampler with this name; default: `parentbased_always_on`. `argument`: the share of the traces, 0 to 1; default: 1.
 * Returns undefined if the name is unknown, or the argument is not a number from 0 to 1.
 */
export function createSampler(name = "parentbased_always_on", argument = "1"): Sampler | undefined {
  const share = Number(argument);
  const [, isParentBased, kind = ""] =
    /^(parentbased_)?(always_on|always_off|traceidratio)$/.exec(name) ?? [];
  if (kind === "" || (kind === "traceidratio" && !(share >= 0 && share <= 1))) return undefined;
  const root: Sampler =
    kind === "traceidratio" ? (traceId) => shareOf(traceId) < share : () => kind === "always_on";
  if (isParentBased === undefined) return root;
  return (traceId, parent) => (parent === undefined ? root(traceId, undefined) : parent.isSampled);
}

// --- internal ---

/** The position of a trace id among all possible ids, 0 to 1: every process samples the same traces. */
function shareOf(traceId: string): number {
  return Number.parseInt(traceId.slice(-13), 16) / 2 ** 52;
}

// Traces turns: gathers what happens to a turn, and gives its spans to the exporter when the turn ends.

import type { Deps } from "../deps.ts";
import type { BeginTrace, TurnTrace } from "../proxy/turn-trace.ts";
import type { Sampler } from "./sampler.ts";
import type { Span } from "./span.ts";
import { parseTraceparent } from "./traceparent.ts";
import { type TracedAttempt, turnSpans } from "./turn-spans.ts";

export interface TurnTracerOptions {
  readonly deps: Pick<Deps, "clock" | "random">;
  readonly sampler: Sampler;
  /** Takes the spans of a turn that has ended. */
  readonly add: (spans: readonly Span[]) => void;
}

export function createTurnTracer({ deps, sampler, add }: TurnTracerOptions): BeginTrace {
  const { clock, random } = deps;
  const newId = (bytes: number) => Buffer.from(random(bytes)).toString("hex");
  return (traceparent): TurnTrace | undefined => {
    const parent = parseTraceparent(traceparent);
    const traceId = parent?.traceId ?? newId(TRACE_ID_BYTES);
    if (!sampler(traceId, parent)) return undefined;
    const startedMs = clock.now();
    const attempts: TracedAttempt[] = [];
    return {
      attemptBegan: ({ kind, label }) => {
        const spanId = newId(SPAN_ID_BYTES);
        attempts.push({ spanId, kind, label, startedMs: clock.now(), endedMs: undefined, end: undefined });
      },
      attemptEnded: (end) => {
        const attempt = attempts.pop();
        // The attempt that serves the turn lasts until the turn ends.
        if (attempt !== undefined)
          attempts.push({ ...attempt, end, endedMs: end === "served" ? undefined : clock.now() });
      },
      turnEnded: (turn) => {
        const spanId = newId(SPAN_ID_BYTES);
        const endedMs = Math.max(startedMs, clock.now());
        add(turnSpans({ traceId, spanId, parent, startedMs, endedMs, attempts }, turn));
      },
    };
  };
}

// --- internal ---

const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;

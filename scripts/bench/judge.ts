// Judges whether a figure is within its bounds.

import type { Bound, Figure, SubjectName } from "./figures.ts";
import { type FigureSamples, medianOf } from "./samples.ts";

/** `not judged`: there is no bound, or its reference was not measured. */
export type Verdict = "reached" | "MISSED" | "not judged";

export interface Judgement {
  /** The median of codexlb; undefined if it was not measured. */
  readonly value: number | undefined;
  /**
   * `value` as a multiple of `of`, which is the reference of `must`, or the floor if the reference was not measured.
   */
  readonly ratio: { readonly value: number; readonly of: SubjectName } | undefined;
  readonly must: Verdict;
  readonly stretch: Verdict;
}

/** Judges the medians of a figure's rounds. */
export function judge(
  { must, stretch }: Pick<Figure, "must" | "stretch">,
  samples: FigureSamples,
): Judgement {
  const value = medianOf(samples, "codexlb");
  const bases: SubjectName[] = must === undefined || must.kind === "most" ? ["floor"] : [must.of, "floor"];
  const of = bases.find((name) => medianOf(samples, name) !== undefined);
  const base = of === undefined ? undefined : medianOf(samples, of);
  return {
    value,
    ratio:
      value === undefined || base === undefined || of === undefined ? undefined : { value: value / base, of },
    must: verdict(value, must, samples),
    stretch: verdict(value, stretch, samples),
  };
}

/** The largest value that `bound` allows; undefined if its reference was not measured. */
export function limitOf(bound: Bound, samples: FigureSamples): number | undefined {
  if (bound.kind === "most") return bound.value;
  const base = medianOf(samples, bound.of);
  if (base === undefined) return undefined;
  return bound.kind === "times" ? base * bound.factor : base + bound.more;
}

/** `<= 2 x floor`, `<= floor + 0.1`, `<= 50`. */
export function boundText(bound: Bound | undefined): string {
  if (bound === undefined) return "";
  if (bound.kind === "most") return `<= ${bound.value}`;
  return bound.kind === "times" ? `<= ${bound.factor} x ${bound.of}` : `<= ${bound.of} + ${bound.more}`;
}

// --- internal ---

function verdict(value: number | undefined, bound: Bound | undefined, samples: FigureSamples): Verdict {
  const limit = bound === undefined ? undefined : limitOf(bound, samples);
  if (limit === undefined || value === undefined) return "not judged";
  // NaN is not within any bound.
  return value <= limit ? "reached" : "MISSED";
}

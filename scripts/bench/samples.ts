// The measured values: one per figure, subject and round.

import type { SubjectName } from "./figures.ts";
import { median } from "./statistics.ts";

/** The rounds of a figure, by subject. */
export type FigureSamples = Partial<Record<SubjectName, number[]>>;

export interface Samples {
  readonly byFigure: Readonly<Record<string, FigureSamples>>;
  /** Adds the value of one round. */
  add(figure: string, subject: SubjectName, value: number): void;
}

export function createSamples(): Samples {
  const byFigure: Record<string, FigureSamples> = {};
  return {
    byFigure,
    add: (figure, subject, value) => {
      byFigure[figure] ??= {};
      byFigure[figure][subject] ??= [];
      byFigure[figure][subject].push(value);
    },
  };
}

/** The median of the rounds; undefined if the subject was not measured. */
export function medianOf(samples: FigureSamples, subject: SubjectName): number | undefined {
  const rounds = samples[subject];
  return rounds === undefined || rounds.length === 0 ? undefined : median(rounds);
}

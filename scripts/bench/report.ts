// The benchmark's output about a row.

import type { Figure, SubjectName } from "./figures.ts";
import { boundText, judge } from "./judge.ts";
import { type FigureSamples, medianOf } from "./samples.ts";

/** The order of the subjects in tables. */
export const SUBJECTS: readonly SubjectName[] = [
  "codexlb",
  "baseline",
  "floor",
  "nginx",
  "peer",
  "direct",
  "reference",
];

/** Two or three lines: the medians, the differences to direct, the verdict. */
export function reportFigure(figure: Figure, samples: FigureSamples): string {
  const { must, ratio, stretch } = judge(figure, samples);
  const shown = (value: number): string => value.toFixed(figure.digits);
  const medians = SUBJECTS.flatMap((name) => {
    const value = medianOf(samples, name);
    return value === undefined ? [] : [`${name} ${shown(value)}`];
  });
  const lines = [`${figure.id.padEnd(12)} ${figure.title}, ${figure.unit}`, `  ${medians.join("   ")}`];
  const added = addedToDirect(samples);
  if (added.length > 0)
    lines.push(`  added to direct: ${added.map(([name, value]) => `${name} ${shown(value)}`).join("   ")}`);
  const verdicts = [
    ...(ratio === undefined ? [] : [`${ratio.value.toFixed(2)} x ${ratio.of}`]),
    ...(figure.must === undefined ? [] : [`must ${boundText(figure.must)}: ${must}`]),
    ...(figure.stretch === undefined ? [] : [`stretch ${boundText(figure.stretch)}: ${stretch}`]),
  ];
  if (verdicts.length > 0) lines.push(`  ${verdicts.join("   ")}`);
  return lines.join("\n");
}

/** The difference of each proxy's median to the median without a proxy. Empty if the latter was not measured. */
export function addedToDirect(samples: FigureSamples): (readonly [SubjectName, number])[] {
  const direct = medianOf(samples, "direct");
  if (direct === undefined) return [];
  return SUBJECTS.flatMap((name) => {
    const value = name === "direct" ? undefined : medianOf(samples, name);
    return value === undefined ? [] : [[name, value - direct] as const];
  });
}

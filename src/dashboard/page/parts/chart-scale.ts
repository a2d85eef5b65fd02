// The axes of a chart: round values at its side, and as many labels below as there is room for.

/** At most `most` + 1 round values from 0 to at least `highest`. `least`: the smallest distance between two of them. */
export function axisTicks(highest: number, most: number, least: number): number[] {
  const wanted = Math.max(least, highest / most);
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= wanted * ROUNDING) ?? 10) * power;
  const count = Math.max(1, Math.ceil((highest / step) * ROUNDING));
  return Array.from({ length: count + 1 }, (_, index) => index * step);
}

/** Which of `count` parts, each `width` wide, have a label of the width `labelWidth`: always the last one. */
export function labelledParts(count: number, width: number, labelWidth: number): number[] {
  const every = Math.max(1, Math.ceil(labelWidth / Math.max(width, 0.1)));
  return Array.from({ length: count }, (_, index) => index).filter(
    (index) => (count - 1 - index) % every === 0,
  );
}

// --- internal ---

/** Absorbs errors of the floating point. */
const ROUNDING = 1 - 1e-9;

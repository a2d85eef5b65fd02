// The figures that the usage chart can show.

import type { UsageLine } from "../../core/usage-report.ts";
import { compactNumber, costText, tokensOf } from "../../core/usage-words.ts";

/** One figure of a usage line. */
interface MeasureWords {
  readonly title: string;
  readonly value: (line: UsageLine) => number;
  /** The figure of a line, in words. */
  readonly text: (line: UsageLine) => string;
  /** A value on an axis with this distance between its values. */
  readonly tick: (value: number, step: number) => string;
  /** The smallest distance between two values on the axis. */
  readonly leastTick: number;
}

const count = (title: string, value: (line: UsageLine) => number): MeasureWords => ({
  title,
  value,
  text: (line) => compactNumber(value(line)),
  tick: (value) =>
    compactNumber(value)
      .replace(/(\.\d*?)0+(?=[kMG]$)/, "$1")
      .replace(/\.(?=[kMG]$)/, ""),
  leastTick: 1,
});

export const MEASURES = {
  tokens: count("Tokens", tokensOf),
  input: count("Input tokens", ({ input_tokens }) => input_tokens),
  cached: count("Cached input tokens", ({ cached_input_tokens }) => cached_input_tokens),
  output: count("Output tokens", ({ output_tokens }) => output_tokens),
  reasoning: count("Reasoning tokens", ({ reasoning_tokens }) => reasoning_tokens),
  cost: {
    title: "Estimated cost",
    value: ({ estimated_cost_usd }) => estimated_cost_usd,
    text: costText,
    tick: (value, step) => `$${value.toFixed(step < 1 ? 2 : 0)}`,
    leastTick: 0.01,
  },
  turns: count("Turns", ({ turns }) => turns),
  failed: count("Failed turns", ({ failed }) => failed),
} as const satisfies Readonly<Record<string, MeasureWords>>;

export type Measure = keyof typeof MEASURES;

export function isMeasure(name: string): name is Measure {
  return Object.hasOwn(MEASURES, name);
}

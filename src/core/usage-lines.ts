// Makes the lines of a usage report from sums, with an estimate of their cost.

import { costUsd, PRICES_AS_OF, type Price, type PriceTable, priceOf } from "./prices.ts";
import type { UsageGrouping, UsageLine, UsageReport, UsageSums } from "./usage-report.ts";
import { tokensOf } from "./usage-words.ts";

/** The most lines of a report. The turns of further groups count in the line `(others)`. */
export const MOST_LINES = 1_000;
/** The name of that line. */
export const OTHERS = "(others)";

/**
 * The lines and the total of `sums`: days in order, other groups by their tokens, the most first. `prices`: those of
 * config.toml.
 */
export function usageLines(
  sums: Iterable<UsageSums>,
  by: UsageGrouping,
  prices: PriceTable,
): Pick<UsageReport, "lines" | "total" | "prices_as_of" | "uses_own_prices"> {
  const groups = new Map<string, LineBuilder>();
  const total = newBuilder("total");
  const ownPrices = new Set(Object.values(prices));
  let usesOwnPrices = false;
  for (const one of sums) {
    const price = priceOf(one.model, prices);
    if (price !== undefined && one.reported > 0) usesOwnPrices ||= ownPrices.has(price);
    let group = groups.get(one.name);
    if (group === undefined) {
      group = newBuilder(one.name);
      groups.set(one.name, group);
    }
    addSums(group, one, price);
    addSession(group.line, one);
    addSums(total, one, price);
  }
  // A group may have only requests that prepare a connection.
  const used = [...groups.values()].filter(({ line }) => line.turns > 0 || tokensOf(line) > 0);
  const byName = (a: LineBuilder, b: LineBuilder) => (a.line.name < b.line.name ? -1 : 1);
  const sorted = used.sort(
    by === "day"
      ? byName
      : (a, b) => tokensOf(b.line) - tokensOf(a.line) || b.line.turns - a.line.turns || byName(a, b),
  );
  const lines = sorted.slice(0, MOST_LINES).map(finishedLine);
  if (sorted.length > MOST_LINES) lines.push(finishedLine(merged(sorted.slice(MOST_LINES))));
  return {
    prices_as_of: PRICES_AS_OF,
    uses_own_prices: usesOwnPrices,
    lines,
    total: finishedLine(total),
  };
}

/** A line to which sums are added, and whose average is not computed yet. */
export interface LineBuilder {
  readonly line: Writable<UsageLine>;
  firstOutputs: number;
  firstOutputMs: number;
}

/** A line called `name`, without turns. */
export function newBuilder(name: string): LineBuilder {
  const line = {
    name,
    turns: 0,
    failed: 0,
    input_tokens: 0,
    cached_input_tokens: 0,
    output_tokens: 0,
    reasoning_tokens: 0,
    first_output_ms: null,
    estimated_cost_usd: 0,
    unpriced_turns: 0,
  };
  return { line, firstOutputs: 0, firstOutputMs: 0 };
}

/** Adds `sums` to the line. `price`: that of their model; undefined if it is not known. */
export function addSums(builder: LineBuilder, sums: UsageSums, price: Price | undefined): void {
  const { line } = builder;
  line.turns += sums.turns;
  line.failed += sums.failed;
  line.input_tokens += sums.input;
  line.cached_input_tokens += sums.cachedInput;
  line.output_tokens += sums.output;
  line.reasoning_tokens += sums.reasoning;
  builder.firstOutputs += sums.firstOutputs;
  builder.firstOutputMs += sums.firstOutputMs;
  if (price === undefined) line.unpriced_turns += sums.reported;
  else line.estimated_cost_usd += costUsd(sums, price);
}

/** The line of `builder`, with its average. */
export function finishedLine({ line, firstOutputs, firstOutputMs }: LineBuilder): UsageLine {
  return {
    ...line,
    first_output_ms: firstOutputs === 0 ? null : Math.round(firstOutputMs / firstOutputs),
    // Fractions of a hundredth of a cent are noise of the floating point.
    estimated_cost_usd: Math.round(line.estimated_cost_usd * 1e6) / 1e6,
  };
}

// --- internal ---

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

function addSession(line: Writable<UsageLine>, { project, firstMs, lastMs }: UsageSums): void {
  if (firstMs === undefined || lastMs === undefined) return;
  line.project = line.project || project;
  line.first_ms = Math.min(line.first_ms ?? firstMs, firstMs);
  line.last_ms = Math.max(line.last_ms ?? lastMs, lastMs);
}

function merged(builders: readonly LineBuilder[]): LineBuilder {
  const others = newBuilder(OTHERS);
  for (const { line, firstOutputs, firstOutputMs } of builders) {
    for (const name of SUMMED) others.line[name] += line[name];
    others.firstOutputs += firstOutputs;
    others.firstOutputMs += firstOutputMs;
  }
  return others;
}

const SUMMED = [
  "turns",
  "failed",
  "input_tokens",
  "cached_input_tokens",
  "output_tokens",
  "reasoning_tokens",
  "estimated_cost_usd",
  "unpriced_turns",
] as const;

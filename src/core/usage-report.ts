// The report of `codexlb usage` and of `GET /admin/usage`: what turns used, in groups, with an estimate of their cost.

import { z } from "zod";
import { PRICES_AS_OF, type Price, type PriceTable, priceOf } from "./prices.ts";

/** What a report groups turns by. `key`: the client's key. `project`: the working directory. */
export const USAGE_GROUPINGS = ["day", "account", "model", "project", "session", "key"] as const;
export type UsageGrouping = (typeof USAGE_GROUPINGS)[number];

/** Which turns a report counts. */
export interface UsageQuery {
  /** The first millisecond, and the one after the last, Unix ms. */
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly by: UsageGrouping;
  /** Only turns of this account (alias), or of this child proxy (name). */
  readonly account?: string | undefined;
  /** Only turns of the key with this name; "": only turns without a key. */
  readonly client?: string | undefined;
}

/** The sums of the turns of one group and one model. */
export interface UsageSums {
  readonly name: string;
  readonly model: string;
  /** Turns and compactions, without requests that only prepare a connection. */
  readonly turns: number;
  /** Turns that failed, broke off or were refused. */
  readonly failed: number;
  /** Turns whose tokens are known. */
  readonly reported: number;
  readonly input: number;
  readonly cachedInput: number;
  readonly output: number;
  readonly reasoning: number;
  /** How many turns had output, and the sum of the times to their first output, ms. */
  readonly firstOutputs: number;
  readonly firstOutputMs: number;
}

/** One line of a report. */
export type UsageLine = z.output<typeof UsageLine>;
export const UsageLine = z.looseObject({
  /** The group: a day as `YYYY-MM-DD`, an account, and so on; "" if it is not known. */
  name: z.string(),
  turns: z.number(),
  failed: z.number(),
  input_tokens: z.number(),
  cached_input_tokens: z.number(),
  output_tokens: z.number(),
  reasoning_tokens: z.number(),
  /** The average time to the first output; null if no turn had output. */
  first_output_ms: z.number().nullable(),
  /** An estimate: what the priced turns would cost on the API. */
  estimated_cost_usd: z.number(),
  /** Turns with tokens whose model has no known price. */
  unpriced_turns: z.number(),
});

/** A report. */
export type UsageReport = z.output<typeof UsageReport>;
export const UsageReport = z.looseObject({
  since_ms: z.number(),
  until_ms: z.number(),
  by: z.enum(USAGE_GROUPINGS),
  /** Whether the proxy records turns; `failing`: it cannot write the file. `unknown`: no proxy was asked. */
  recording: z.enum(["recording", "off", "failing", "unknown"]).catch("unknown"),
  /** How many days the single turns are kept; sums of days are kept for ever. */
  keep_days: z.number(),
  /** The date of the packaged prices. */
  prices_as_of: z.string(),
  lines: z.array(UsageLine),
  total: UsageLine,
});

/** The most lines of a report. The turns of further groups count in the line `(others)`. */
export const MOST_LINES = 1_000;
/** The name of what is counted together, because it is beyond a limit. */
export const OTHERS = "(others)";

/** The lines and the total of `sums`: days in order, other groups by their tokens, the most first. */
export function usageLines(
  sums: Iterable<UsageSums>,
  by: UsageGrouping,
  prices: PriceTable,
): Pick<UsageReport, "lines" | "total" | "prices_as_of"> {
  const groups = new Map<string, Builder>();
  const total = newBuilder("total");
  for (const one of sums) {
    const price = priceOf(one.model, prices);
    let group = groups.get(one.name);
    if (group === undefined) {
      group = newBuilder(one.name);
      groups.set(one.name, group);
    }
    add(group, one, price);
    add(total, one, price);
  }
  // A group may have only requests that prepare a connection.
  const used = [...groups.values()].filter(({ line }) => line.turns > 0 || tokensOf(line) > 0);
  const sorted = used.sort(
    by === "day"
      ? (a, b) => (a.line.name < b.line.name ? -1 : 1)
      : (a, b) => tokensOf(b.line) - tokensOf(a.line) || b.line.turns - a.line.turns,
  );
  const lines = sorted.slice(0, MOST_LINES).map(finished);
  if (sorted.length > MOST_LINES) lines.push(finished(merged(sorted.slice(MOST_LINES))));
  return { prices_as_of: PRICES_AS_OF, lines, total: finished(total) };
}

/** All tokens of `line`: input and output. */
export function tokensOf({ input_tokens, output_tokens }: UsageLine): number {
  return input_tokens + output_tokens;
}

// --- internal ---

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** A line whose average is not computed yet. */
interface Builder {
  readonly line: Writable<UsageLine>;
  firstOutputs: number;
  firstOutputMs: number;
}

function newBuilder(name: string): Builder {
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

function add(builder: Builder, sums: UsageSums, price: Price | undefined): void {
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
  else line.estimated_cost_usd += costOf(sums, price);
}

function merged(builders: readonly Builder[]): Builder {
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

function finished({ line, firstOutputs, firstOutputMs }: Builder): UsageLine {
  return {
    ...line,
    first_output_ms: firstOutputs === 0 ? null : Math.round(firstOutputMs / firstOutputs),
    // Fractions of a hundredth of a cent are noise of the floating point.
    estimated_cost_usd: Math.round(line.estimated_cost_usd * 1e6) / 1e6,
  };
}

/** The cost in USD. Cached input is part of the input, and reasoning part of the output. */
function costOf({ input, cachedInput, output }: UsageSums, price: Price): number {
  return (
    ((input - cachedInput) * price.input + cachedInput * price.cachedInput + output * price.output) / 1e6
  );
}

// Counts the tokens that the simulated backend reports to its clients.

import { z } from "zod";

/** The sums of all reports. */
export interface SentUsage {
  /** How many responses had a report. */
  readonly responses: number;
  readonly input: number;
  readonly cachedInput: number;
  readonly output: number;
  readonly reasoning: number;
}

export interface SentUsageCounter {
  add(event: Record<string, unknown>): void;
  sums(): SentUsage;
}

export function createSentUsage(): SentUsageCounter {
  let sums: SentUsage = { responses: 0, input: 0, cachedInput: 0, output: 0, reasoning: 0 };
  return {
    add: (event) => {
      const report = Report.safeParse(event);
      if (!report.success) return;
      const { usage } = report.data.response;
      sums = {
        responses: sums.responses + 1,
        input: sums.input + usage.input_tokens,
        cachedInput: sums.cachedInput + usage.input_tokens_details.cached_tokens,
        output: sums.output + usage.output_tokens,
        reasoning: sums.reasoning + usage.output_tokens_details.reasoning_tokens,
      };
    },
    sums: () => sums,
  };
}

// --- internal ---

const Report = z.looseObject({
  response: z.looseObject({
    usage: z.looseObject({
      input_tokens: z.number(),
      input_tokens_details: z.looseObject({ cached_tokens: z.number() }),
      output_tokens: z.number(),
      output_tokens_details: z.looseObject({ reasoning_tokens: z.number() }),
    }),
  }),
});

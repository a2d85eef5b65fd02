// The settings of the table [policy.auto_redeem].

import { z } from "zod";
import { AUTO_REDEEM_CASES } from "../core/auto-redeem.ts";
import { durationOf } from "../core/duration.ts";
import { NO_TEXT, positive, text } from "./setting-types.ts";

/** The longest windows last a month. */
const LONGEST_MS = 31 * 24 * 3_600_000;

/** The settings of the table [policy.auto_redeem], by name. */
export const AUTO_REDEEM = {
  when: z
    .string({ error: NO_TEXT })
    .transform((value) => value.trim() || "never")
    .pipe(
      z.enum(AUTO_REDEEM_CASES, {
        error: (issue) =>
          `${JSON.stringify(issue.input)} is not allowed; allowed: ${AUTO_REDEEM_CASES.join(", ")}`,
      }),
    )
    .default("never")
    .meta({
      description:
        "When codexlb spends a reset credit without asking: never, or pool_exhausted (when every account is exhausted; reset-credits.md).",
    }),
  min_wait: text("12h")
    .refine((value) => minWaitOf(value) !== undefined, {
      error: (issue) =>
        `${JSON.stringify(issue.input)} must be a duration of at most 31d; write it as "12h" or "2d"`,
    })
    .meta({ description: "Spend a credit only if the first reset is further away than this." }),
  keep: z
    .number({ error: "must be a number, without quotes" })
    .int({ error: "must be a whole number" })
    .min(0, { error: "must not be negative" })
    .default(1)
    .meta({ description: "How many reset credits of the pool are never spent without asking." }),
  per_day: positive(1, 10).meta({
    description: "How often codexlb tries to spend a reset credit in a day without asking.",
  }),
};

/** `min_wait` in ms; undefined if it is not a duration of at most a month. */
export function minWaitOf(value: string): number | undefined {
  const ms = durationOf(value);
  return ms === undefined || ms > LONGEST_MS ? undefined : ms;
}

// The settings per account in config.toml: `[accounts.ALIAS]`.

import { z } from "zod";
import {
  capProblem,
  concurrencyProblem,
  normalizedTags,
  noteProblem,
  OPTION_NAMES,
  type OptionValues,
  percentIn,
  priorityProblem,
  tagsProblem,
} from "../core/account-options.ts";
import { usdIn } from "../core/api-billing.ts";
import { NO_TEXT } from "./setting-types.ts";

/** A list of tags; empty by default. */
export const tagList = () => tags().default([]);

/** The options of one account. */
export const accountOptions = () =>
  z
    .strictObject(
      {
        priority: z
          .number({ error: "must be a number, without quotes" })
          .superRefine((value, context) => complain(context, priorityProblem(value)))
          .optional(),
        floor_daily: percentage().optional(),
        floor_weekly: percentage().optional(),
        tags: tags().optional(),
        note: z
          .string({ error: NO_TEXT })
          .superRefine((value, context) => complain(context, noteProblem(value)))
          .optional(),
        monthly_cap: usd().optional(),
        concurrency: z
          .number({ error: "must be a number, without quotes" })
          .superRefine((value, context) => complain(context, concurrencyProblem(value)))
          .optional(),
      },
      {
        error: ({ code }) =>
          code === "unrecognized_keys"
            ? `has an unknown option; the options are ${Object.keys(OPTION_NAMES).join(", ")}`
            : "must be a table, such as [accounts.alice]",
      },
    )
    .transform(
      ({
        floor_daily: floorDaily,
        floor_weekly: floorWeekly,
        monthly_cap: monthlyCap,
        ...set
      }): OptionValues => ({ ...set, floorDaily, floorWeekly, monthlyCap }),
    );

// --- internal ---

const tags = () =>
  z
    .array(z.string({ error: NO_TEXT }), { error: 'must be a list of texts, such as ["work"]' })
    .transform(normalizedTags)
    .superRefine((value, context) => complain(context, tagsProblem(value)));

/** A percentage from 0 to 100, as a number or as a text such as "20%". */
const percentage = () =>
  z.union([z.number(), z.string()], { error: NO_PERCENTAGE }).transform((value, context) => {
    const percent = percentIn(String(value));
    if (percent === undefined) complain(context, NO_PERCENTAGE);
    return percent ?? 0;
  });

const NO_PERCENTAGE = 'must be a percentage from 0 to 100, such as 20 or "20%"';

/** An amount in USD, as a number or as a text such as "20usd". */
const usd = () =>
  z.union([z.number(), z.string()], { error: NO_AMOUNT }).transform((value, context) => {
    const amount = usdIn(String(value));
    complain(context, capProblem(amount ?? 0));
    return amount ?? 0;
  });

const NO_AMOUNT = 'must be an amount in USD above 0, such as 20 or "20usd"';

function complain(context: z.core.$RefinementCtx, problem: string | undefined): void {
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
}

// The settings of the table [anchor].

import { z } from "zod";
import { timeOfDay } from "../core/anchor/anchor-times.ts";
import { flag, NO_TEXT, text } from "./setting-types.ts";

const DEFAULT_AT = ["07:00"];

/** The settings of the table [anchor], by name. */
export const ANCHOR = {
  enabled: flag(false).meta({
    description:
      "Start the 5h windows of accounts at the times below with a very small turn, so that they are reset earlier. This spends a little quota (policies.md).",
  }),
  at: z
    .array(z.string({ error: NO_TEXT }), { error: 'must be a list of times, such as ["07:00", "12:30"]' })
    .transform((list) => {
      const kept = list.map((time) => time.trim()).filter((time) => time !== "");
      return kept.length === 0 ? DEFAULT_AT : kept;
    })
    .superRefine((list, context) => {
      for (const time of list)
        if (timeOfDay(time) === undefined)
          context.addIssue({
            code: "custom",
            message: `${JSON.stringify(time)} is not a time of the day; write it as "07:00"`,
          });
    })
    .default(DEFAULT_AT)
    .meta({
      description:
        "The times of the day at which windows are started, in the time zone of the proxy's machine, at least 5 hours apart.",
    }),
  stagger: flag(true).meta({
    description:
      "Start the windows one after another from each of these times on, so that the resets of the accounts are spread evenly over 5 hours. false: all at these times.",
  }),
  model: text("gpt-5.6-luna").meta({
    description: "The model of these turns. A small one costs the least.",
  }),
};

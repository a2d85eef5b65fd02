// The options of an account in JSON: in store.json, in the admin API, and in the output of commands.

import { z } from "zod";
import { CodexlbError } from "../errors.ts";
import {
  capProblem,
  concurrencyProblem,
  noteProblem,
  OPTION_NAMES,
  type OptionChanges,
  type OptionName,
  type OptionValues,
  percentIn,
  priorityProblem,
  tagsProblem,
} from "./account-options.ts";

/** The options that are set. */
export const OptionFields = z.object({
  priority: z.number().optional(),
  floor_daily: z.number().optional(),
  floor_weekly: z.number().optional(),
  tags: z.array(z.string()).optional(),
  note: z.string().optional(),
  monthly_cap: z.number().optional(),
  concurrency: z.number().optional(),
});
export type OptionFields = z.output<typeof OptionFields>;

/** Changes of options: null removes a value. */
export const OptionChangeFields = z.object({
  priority: z.number({ error: "must be a number" }).nullish(),
  floor_daily: z.number({ error: "must be a number" }).nullish(),
  floor_weekly: z.number({ error: "must be a number" }).nullish(),
  tags: z.array(z.string({ error: "must be a string" }), { error: "must be a list" }).nullish(),
  note: z.string({ error: "must be a string" }).nullish(),
  monthly_cap: z.number({ error: "must be a number" }).nullish(),
  concurrency: z.number({ error: "must be a number" }).nullish(),
});
export type OptionChangeFields = z.output<typeof OptionChangeFields>;

/** The options in `fields`. */
export function optionsOfFields(fields: OptionFields): OptionValues;
export function optionsOfFields(fields: OptionChangeFields): OptionChanges;
export function optionsOfFields(fields: OptionChangeFields): OptionChanges {
  return {
    priority: fields.priority,
    floorDaily: fields.floor_daily,
    floorWeekly: fields.floor_weekly,
    tags: fields.tags,
    note: fields.note,
    monthlyCap: fields.monthly_cap,
    concurrency: fields.concurrency,
  };
}

/** `options` as fields, without those that are not set. */
export function fieldsOfOptions(options: OptionValues): OptionFields;
export function fieldsOfOptions(options: OptionChanges): OptionChangeFields;
export function fieldsOfOptions(options: OptionChanges): OptionChangeFields {
  const given = optionEntries(options).map(([field, name]) => [field, options[name]]);
  return Object.fromEntries(given) as OptionChangeFields;
}

/** The field and the name of each option that is set or removed in `options`. */
export function optionEntries(
  options: OptionChanges,
): [field: keyof typeof OPTION_NAMES, name: OptionName][] {
  const entries = Object.entries(OPTION_NAMES) as [keyof typeof OPTION_NAMES, OptionName][];
  return entries.filter(([, name]) => options[name] !== undefined);
}

/** Throws `invalid_request` if a value is not allowed. */
export function requireOptions(changes: OptionChanges): void {
  const { priority, floorDaily, floorWeekly, tags, note, monthlyCap, concurrency } = changes;
  const percent = (value: number | null | undefined) =>
    value == null || percentIn(String(value)) !== undefined
      ? undefined
      : "must be a percentage from 0 to 100";
  const problems: readonly [string, string | undefined][] = [
    ["priority", priority == null ? undefined : priorityProblem(priority)],
    ["floor_daily", percent(floorDaily)],
    ["floor_weekly", percent(floorWeekly)],
    ["tags", tags == null ? undefined : tagsProblem(tags)],
    ["note", note == null ? undefined : noteProblem(note)],
    ["monthly_cap", monthlyCap == null ? undefined : capProblem(monthlyCap)],
    ["concurrency", concurrency == null ? undefined : concurrencyProblem(concurrency)],
  ];
  for (const [field, problem] of problems)
    if (problem !== undefined)
      throw new CodexlbError("invalid_request", `${field} ${problem}`, { next: "correct the value" });
}

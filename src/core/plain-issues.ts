// What is wrong with a value from outside, in plain words instead of those of the validation library.

import type { z } from "zod";

/** The words for an issue of `schema.safeParse(value, { error: plainIssue })`. A schema's own words come first. */
export function plainIssue(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined ? "is missing" : `must be ${NAMES[issue.expected] ?? issue.expected}`;
    case "unrecognized_keys": {
      const { keys } = issue;
      return `unknown ${keys.length === 1 ? "field" : "fields"}: ${keys.map((key) => JSON.stringify(key)).join(", ")}`;
    }
    case "invalid_value":
      return issue.input === undefined
        ? "is missing"
        : `must be one of: ${issue.values.map(String).join(", ")}`;
    case "too_small":
      return `must be at least ${issue.minimum}`;
    case "too_big":
      return `must be at most ${issue.maximum}`;
    default:
      return "is not valid";
  }
}

// --- internal ---

const NAMES: Readonly<Partial<Record<string, string>>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a JSON object",
  record: "a JSON object",
};

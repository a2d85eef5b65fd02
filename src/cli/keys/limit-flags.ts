// The flags with which `codexlb key add` and `codexlb key set` limit a key.

import { durationOf } from "../../core/duration.ts";
import { countIn, type KeyLimitChanges, limitsProblem, normalizedModels } from "../../core/key-limits.ts";
import { usage } from "../flags.ts";

export const LIMIT_FLAGS = {
  expires: {
    type: "string",
    description: "When the key expires: 12h, 30d or 4w from now, or a date such as 2027-01-31",
    valueHint: "TIME",
  },
  rpm: { type: "string", description: "Allow at most N turns within any 60 seconds", valueHint: "N" },
  "tokens-per-day": {
    type: "string",
    description: "Refuse further turns each day after N tokens, such as 200k or 5M",
    valueHint: "N",
  },
  models: {
    type: "string",
    description: 'Allow only models that match a pattern, such as "gpt-6*" (* stands for any characters)',
    valueHint: "PATTERN,...",
  },
} as const;

export type LimitFlags = { readonly [Name in keyof typeof LIMIT_FLAGS]?: string | undefined };

/** The value that removes a limit. */
export const NONE = "none";

/** True if one of the flags is on the command line. */
export function hasLimitFlags(flags: LimitFlags): boolean {
  return Object.keys(LIMIT_FLAGS).some((name) => flags[name as keyof LimitFlags] !== undefined);
}

/** The limits that the flags ask for; null for `none`. Throws `usage`. */
export function limitChanges(flags: LimitFlags, nowMs: number): KeyLimitChanges {
  return {
    expiresMs: changeOf(flags.expires, (text) => expiryIn(text, nowMs)),
    turnsPerMinute: changeOf(flags.rpm, (text) => {
      const turnsPerMinute = countOf(text, "rpm");
      return checked("rpm", { turnsPerMinute }).turnsPerMinute;
    }),
    tokensPerDay: changeOf(flags["tokens-per-day"], (text) => {
      const tokensPerDay = countOf(text, "tokens-per-day");
      return checked("tokens-per-day", { tokensPerDay }).tokensPerDay;
    }),
    models: changeOf(flags.models, (text) => {
      const models = normalizedModels(text.split(","));
      return checked("models", { models }).models;
    }),
  };
}

// --- internal ---

const HOUR_MS = 3_600_000;
const FORMS =
  "write how long the key is valid (12h, 30d, 4w), or a date (2027-01-31) or time (2027-01-31T18:00)";
/** A key that is valid for longer does not need to expire. */
const MOST_DAYS = 3_650;

function changeOf<Value>(text: string | undefined, read: (text: string) => Value): Value | null | undefined {
  if (text === undefined) return undefined;
  return text.trim().toLowerCase() === NONE ? null : read(text.trim());
}

function countOf(text: string, flag: string): number {
  const count = countIn(text);
  if (count !== undefined) return count;
  throw usage(
    `flag --${flag}: ${JSON.stringify(text)} is not a whole number`,
    "write it as 60, 200k or 5M, or none to remove the limit",
  );
}

function checked<Limits extends Parameters<typeof limitsProblem>[0]>(flag: string, limits: Limits): Limits {
  const problem = limitsProblem(limits);
  if (problem !== undefined) throw usage(`flag --${flag}: ${problem}`);
  return limits;
}

/** The moment that `text` names, Unix ms. A date is its beginning, in the time zone of this machine. */
function expiryIn(text: string, nowMs: number): number {
  const atMs = momentIn(text, nowMs);
  if (atMs === undefined) throw usage(`flag --expires: ${JSON.stringify(text)} is not a time`, FORMS);
  if (atMs <= nowMs) throw usage(`flag --expires: ${text} is in the past`, FORMS);
  if (atMs > nowMs + MOST_DAYS * 24 * HOUR_MS)
    throw usage(`flag --expires: ${text} is more than ten years ahead`, FORMS);
  return atMs;
}

function momentIn(text: string, nowMs: number): number | undefined {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text) ?? [];
  if (year !== undefined) {
    const date = new Date(Number(year), Number(month) - 1, Number(day));
    return date.getMonth() === Number(month) - 1 ? date.getTime() : undefined;
  }
  const at = /^\d{4}-\d{2}-\d{2}T/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(at)) return at;
  const ms = durationOf(text);
  return ms === undefined ? undefined : nowMs + ms;
}

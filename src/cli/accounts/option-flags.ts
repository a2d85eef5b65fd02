// The flags with which `codexlb account set` changes the options of an account.

import {
  capProblem,
  concurrencyProblem,
  LARGEST_CONCURRENCY,
  normalizedTags,
  noteProblem,
  type OptionChanges,
  percentIn,
  priorityProblem,
  tagsProblem,
} from "../../core/account-options.ts";
import type { TagDemand } from "../../core/account-tags.ts";
import { usdIn } from "../../core/api-billing.ts";
import { WINDOW_LIMITS } from "../../core/reason-words.ts";
import { integerFlag, usage } from "../flags.ts";

export const OPTION_FLAGS = {
  priority: {
    type: "string",
    description: "Accounts with a higher priority serve first (default 0; none: the default)",
    valueHint: "N",
  },
  "floor-daily": {
    type: "string",
    description: `Keep back this share of the ${WINDOW_LIMITS.daily} ("daily" in JSON), such as 20% (none: remove the floor)`,
    valueHint: "PERCENT",
  },
  "floor-weekly": {
    type: "string",
    description: `Keep back this share of the ${WINDOW_LIMITS.weekly}, such as 20% (none: remove the floor)`,
    valueHint: "PERCENT",
  },
  tag: {
    type: "string",
    description: "Replace the account's tags (none: remove them)",
    valueHint: "TAG,...",
  },
  note: {
    type: "string",
    description: "Note shown next to the account in lists (none: remove it)",
    valueHint: "TEXT",
  },
  "monthly-cap": {
    type: "string",
    description: "How much an account with an API key may spend per month, such as 20usd (none: nothing)",
    valueHint: "USD",
  },
  concurrency: {
    type: "string",
    description: `The most concurrent turns of the account, 1 to ${LARGEST_CONCURRENCY} (none: no limit)`,
    valueHint: "N",
  },
} as const;

type OptionFlags = { readonly [Name in keyof typeof OPTION_FLAGS]?: string | undefined };

/** The changes that the flags ask for; undefined if there is none of them. Throws `usage`. */
export function optionChanges(flags: OptionFlags): OptionChanges | undefined {
  if (Object.keys(OPTION_FLAGS).every((name) => flags[name as keyof OptionFlags] === undefined))
    return undefined;
  return {
    priority: changeOf(flags.priority, priorityIn),
    floorDaily: changeOf(flags["floor-daily"], (text) => floorIn(text, "floor-daily")),
    floorWeekly: changeOf(flags["floor-weekly"], (text) => floorIn(text, "floor-weekly")),
    tags: changeOf(flags.tag, tagsIn),
    note: changeOf(flags.note, noteIn),
    monthlyCap: changeOf(flags["monthly-cap"], capIn),
    concurrency: changeOf(flags.concurrency, concurrencyIn),
  };
}

/**
 * The demand of a command with `--tag` and `--only`; undefined without tags. `command` names it in errors. Throws
 * `usage`.
 */
export function tagDemand(
  command: string,
  { tag, only }: { tag: string | undefined; only: boolean | undefined },
): TagDemand | undefined {
  if (tag !== undefined) return { tags: tagsIn(tag), only: only === true };
  if (only) throw usage(`${command}: --only needs --tag`, "name the tags, as in: --tag work --only");
  return undefined;
}

/** The value of `--monthly-cap`, in USD. Throws `usage`. */
export function capIn(text: string): number {
  const usd = usdIn(text) ?? 0;
  const problem = capProblem(usd);
  return problem === undefined ? usd : refuse("monthly-cap", problem);
}

/** The tags in the value of `--tag`, separated by commas. Throws `usage`. */
function tagsIn(text: string): readonly string[] {
  const tags = normalizedTags(text.split(","));
  const problem = tags.length === 0 ? "names no tag" : tagsProblem(tags);
  return problem === undefined ? tags : refuse("tag", problem);
}

// --- internal ---

/** The value that removes an option. */
const NONE = "none";

function changeOf<Value>(text: string | undefined, read: (text: string) => Value): Value | null | undefined {
  if (text === undefined) return undefined;
  return text.trim().toLowerCase() === NONE ? null : read(text.trim());
}

function priorityIn(text: string): number {
  const priority = integerFlag(text, "priority") ?? 0;
  const problem = priorityProblem(priority);
  return problem === undefined ? priority : refuse("priority", problem);
}

function concurrencyIn(text: string): number {
  const turns = integerFlag(text, "concurrency") ?? 0;
  const problem = concurrencyProblem(turns);
  return problem === undefined ? turns : refuse("concurrency", problem);
}

function floorIn(text: string, flag: string): number {
  return percentIn(text) ?? refuse(flag, `${JSON.stringify(text)} is not a percentage from 0 to 100`);
}

function noteIn(text: string): string | null {
  const problem = noteProblem(text);
  if (problem !== undefined) return refuse("note", problem);
  return text === "" ? null : text;
}

function refuse(flag: string, problem: string): never {
  throw usage(`flag --${flag}: ${problem}`);
}

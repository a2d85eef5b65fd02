// Reads the last event of a turn: the tokens that it used, and the model that served it. An event can contain the whole
// output, so only a small one is parsed; in a larger one, the members that matter are found by a scan.

import { type Fields, fieldsOf, memberOf, membersOf } from "./json.ts";
import type { TokenCounts } from "./turn-record.ts";

/** The facts in a response object. */
export interface TurnResult {
  readonly model: string | undefined;
  readonly tokens: TokenCounts | undefined;
  /** Why the response is incomplete. */
  readonly incompleteReason: string | undefined;
}

/** Reads `event`, the JSON of a `response.completed` or `response.incomplete` event. */
export function turnResultOf(event: string): TurnResult {
  if (event.length <= SMALL) return resultIn(fieldsOf(parsed(event)).response);
  const response = memberOf(event, "response");
  return resultIn(parsed(response === undefined ? "" : excerptOf(event, response.start)));
}

/** Reads `text`, the JSON of a response object. */
export function responseResultOf(text: string): TurnResult {
  return resultIn(parsed(text.length <= SMALL ? text : excerptOf(text, 0)));
}

// --- internal ---

/** Larger texts are not parsed. Parsing this much takes less time than the scan, and the depth is bounded, too. */
const SMALL = 4_096;
/** Longer names of models and reasons are not believed. */
const LONGEST_NAME = 200;
/** Far above the context of any model. Larger figures are not believed. */
const MOST_TOKENS = 1e9;

const WANTED: ReadonlySet<string> = new Set(["model", "usage", "incomplete_details"]);

/** The response object at `start` of `text`, with only the members that matter. "" if they are too long. */
function excerptOf(text: string, start: number): string {
  const parts: string[] = [];
  let length = 0;
  for (const { name, nameStart, start: valueStart, end } of membersOf(text, start)) {
    if (!WANTED.has(name)) continue;
    length += end - valueStart;
    if (length > SMALL) return "";
    parts.push(text.slice(nameStart, end));
  }
  return `{${parts.join(",")}}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a turn without a report
  }
}

function resultIn(response: unknown): TurnResult {
  const { model, usage, incomplete_details } = fieldsOf(response);
  return {
    model: nameIn(model),
    tokens: tokensIn(fieldsOf(usage)),
    incompleteReason: nameIn(fieldsOf(incomplete_details).reason),
  };
}

function tokensIn(usage: Fields): TokenCounts | undefined {
  const [input, output] = [countIn(usage.input_tokens), countIn(usage.output_tokens)];
  if (input === undefined && output === undefined) return undefined;
  const cached = countIn(fieldsOf(usage.input_tokens_details).cached_tokens);
  const reasoning = countIn(fieldsOf(usage.output_tokens_details).reasoning_tokens);
  return {
    input: input ?? 0,
    cachedInput: Math.min(cached ?? 0, input ?? 0),
    output: output ?? 0,
    reasoning: Math.min(reasoning ?? 0, output ?? 0),
  };
}

function nameIn(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= LONGEST_NAME ? value : undefined;
}

/** A plausible number of tokens. */
function countIn(value: unknown): number | undefined {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MOST_TOKENS
    ? (value as number)
    : undefined;
}

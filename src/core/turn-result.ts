// Reads the last event of a turn: the tokens that it used, and the model that served it. The event can contain the whole
// output, so it is scanned and not parsed.

import { type Member, memberOf, membersOf, textAt } from "./json.ts";
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
  const response = memberOf(event, "response");
  return responseResultOf(event, response?.start ?? event.length);
}

/** Reads the response object in `text` that begins at `start`. Default: the whole text. */
export function responseResultOf(text: string, start = 0): TurnResult {
  let model: string | undefined;
  let tokens: TokenCounts | undefined;
  let incompleteReason: string | undefined;
  for (const member of membersOf(text, start)) {
    if (member.name === "model") model = shortText(text, member);
    else if (member.name === "usage") tokens = tokensAt(text, member.start);
    else if (member.name === "incomplete_details") {
      const reason = memberOf(text, "reason", member.start);
      incompleteReason = reason && shortText(text, reason);
    }
  }
  return { model, tokens, incompleteReason };
}

// --- internal ---

/** Longer names of models and reasons are not believed. */
const LONGEST_NAME = 200;
/** Far above the context of any model. Larger figures are not believed. */
const MOST_TOKENS = 1e9;

function shortText(text: string, member: Member): string | undefined {
  return member.end - member.start > LONGEST_NAME ? undefined : textAt(text, member) || undefined;
}

function tokensAt(text: string, start: number): TokenCounts | undefined {
  let input: number | undefined;
  let output: number | undefined;
  let cachedInput = 0;
  let reasoning = 0;
  for (const member of membersOf(text, start)) {
    if (member.name === "input_tokens") input = countAt(text, member);
    else if (member.name === "output_tokens") output = countAt(text, member);
    else if (member.name === "input_tokens_details")
      cachedInput = countAt(text, memberOf(text, "cached_tokens", member.start)) ?? 0;
    else if (member.name === "output_tokens_details")
      reasoning = countAt(text, memberOf(text, "reasoning_tokens", member.start)) ?? 0;
  }
  if (input === undefined && output === undefined) return undefined;
  return {
    input: input ?? 0,
    cachedInput: Math.min(cachedInput, input ?? 0),
    output: output ?? 0,
    reasoning: Math.min(reasoning, output ?? 0),
  };
}

/** The number of tokens at this position; undefined if it is not a plausible whole number. */
function countAt(text: string, member: Member | undefined): number | undefined {
  if (member === undefined || member.end - member.start > 12) return undefined;
  const digits = text.slice(member.start, member.end);
  if (!/^\d+$/.test(digits)) return undefined;
  const count = Number(digits);
  return count <= MOST_TOKENS ? count : undefined;
}

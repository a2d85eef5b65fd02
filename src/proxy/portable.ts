// Making a turn's input fit another account. Reasoning items are encrypted for the account that produced them and
// are refused by any other; without them the turn works. The turn state token is the former account's as well.

import { z } from "zod";
import { parseJson } from "../core/turn.ts";

/**
 * `text` (a Responses request as JSON) without encrypted reasoning and without turn state; undefined when there is no
 * encrypted reasoning to drop, when the text is no such request, or when its history is a compaction: that is one
 * ciphertext as a whole, and dropping the rest would not help.
 */
export function portableRequest(text: string): string | undefined {
  const parsed = RequestBody.safeParse(parseJson(text));
  if (!parsed.success || parsed.data.input === undefined) return undefined;
  const { input, client_metadata: metadata, ...rest } = parsed.data;
  const kept = input.filter((item) => !isEncrypted(item, "reasoning"));
  if (kept.length === input.length || input.some((item) => isEncrypted(item, "compaction"))) return undefined;
  return JSON.stringify({ ...rest, input: kept, ...stateless(metadata) });
}

/** `text` without the token that ties its turn to the server that began it. */
export function withoutTurnState(text: string): string {
  if (!text.includes(`"${TURN_STATE}"`)) return text;
  const parsed = RequestBody.safeParse(parseJson(text));
  if (parsed.data?.client_metadata?.[TURN_STATE] === undefined) return text;
  return JSON.stringify({ ...parsed.data, ...stateless(parsed.data.client_metadata) });
}

/** True when a request stands on its own: it refers to no earlier response of its socket. */
export function isSelfContained(text: string): boolean {
  if (!text.includes('"previous_response_id"')) return true;
  const parsed = z.looseObject({ previous_response_id: z.string().nullish() }).safeParse(parseJson(text));
  return parsed.success && !parsed.data.previous_response_id;
}

/** Header (and metadata key) that ties the requests of one turn to the server that began it. */
export const TURN_STATE = "x-codex-turn-state";

// --- internal ---

const RequestBody = z.looseObject({
  input: z.array(z.unknown()).optional(),
  client_metadata: z.record(z.string(), z.unknown()).optional(),
});

const Item = z.looseObject({ type: z.string(), encrypted_content: z.string() });

function isEncrypted(item: unknown, type: "reasoning" | "compaction"): boolean {
  return Item.safeParse(item).data?.type === type;
}

function stateless(metadata: Record<string, unknown> | undefined): Record<string, unknown> {
  if (metadata === undefined) return {};
  const { [TURN_STATE]: _state, ...others } = metadata;
  return { client_metadata: others };
}

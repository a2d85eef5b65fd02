// Making a turn's input fit another account. Reasoning items are encrypted for the account that produced them and
// are refused by any other; without them the turn works. The turn state token is the former account's as well.

import { z } from "zod";
import { parseJson } from "../core/turn.ts";

/**
 * `text` (a Responses request as JSON) without encrypted reasoning and without turn state, or undefined when there
 * is nothing to drop or the text is no such request. Compaction items stay: without them the history would be gone.
 */
export function portableRequest(text: string): string | undefined {
  const parsed = RequestBody.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  const { input, client_metadata: metadata, ...rest } = parsed.data;
  const kept = input?.filter((item) => !isEncryptedReasoning(item));
  const dropsReasoning = kept !== undefined && input !== undefined && kept.length < input.length;
  const dropsState = metadata?.[TURN_STATE] !== undefined;
  if (!dropsReasoning && !dropsState) return undefined;
  const { [TURN_STATE]: _state, ...otherMetadata } = metadata ?? {};
  return JSON.stringify({
    ...rest,
    ...(kept === undefined ? {} : { input: kept }),
    ...(metadata === undefined ? {} : { client_metadata: otherMetadata }),
  });
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

const Item = z.looseObject({ type: z.literal("reasoning"), encrypted_content: z.string() });

function isEncryptedReasoning(item: unknown): boolean {
  return Item.safeParse(item).success;
}

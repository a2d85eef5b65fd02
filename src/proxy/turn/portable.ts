// Makes a turn's input acceptable for another account. Reasoning items are encrypted for the account that produced
// them, and every other account refuses them; the turn works without them. The turn state token belongs to the former
// account, too. Both are cut out of the text, so that all other text stays exactly as the client wrote it and nothing
// large is parsed.

import { elementsOf, memberOf, membersOf, type Span, textAt } from "../../core/json.ts";
import { TURN_METADATA } from "../../core/turn-metadata.ts";

/**
 * `text` (a Responses request as JSON) without encrypted reasoning and without turn state. Undefined if `text` contains
 * no encrypted reasoning, is no such request, or has a compacted history, which is one ciphertext that cannot be
 * dropped.
 */
export function portableRequest(text: string): string | undefined {
  const input = memberOf(text, "input");
  if (input === undefined) return undefined;
  const kept: Span[] = [];
  let dropped = 0;
  for (const item of elementsOf(text, input.start)) {
    const type = encryptedType(text, item);
    if (type === "compaction") return undefined;
    if (type === "reasoning") dropped++;
    else kept.push(item);
  }
  if (dropped === 0) return undefined;
  const items = kept.map(({ start, end }) => text.slice(start, end)).join(",");
  return withoutTurnState(`${text.slice(0, input.start)}[${items}]${text.slice(input.end)}`);
}

/** `text` without the token that ties its turn to the server that began it. */
export function withoutTurnState(text: string): string {
  if (!text.includes(`"${TURN_STATE}"`)) return text;
  const metadata = memberOf(text, "client_metadata");
  if (metadata === undefined) return text;
  const members = [...membersOf(text, metadata.start)];
  const others = members.filter(({ name }) => name !== TURN_STATE);
  if (others.length === members.length) return text;
  const kept = others.map(({ nameStart, end }) => text.slice(nameStart, end)).join(",");
  return `${text.slice(0, metadata.start)}{${kept}}${text.slice(metadata.end)}`;
}

/** The properties of a `response.create` message. */
export interface TurnRequest {
  /** True if it does not refer to an earlier response of its socket. */
  readonly isSelfContained: boolean;
  /** True if it only warms the connection up, without producing output. */
  readonly warmsUp: boolean;
  readonly model: string | undefined;
  /** The metadata that Codex sends with the turn, as JSON. */
  readonly metadata: string | undefined;
}

export function turnRequestOf(text: string): TurnRequest {
  let previous = "null";
  let generate = "true";
  let model: string | undefined;
  let metadata: string | undefined;
  for (const { name, start, end } of membersOf(text)) {
    if (name === "previous_response_id") previous = text.slice(start, end);
    if (name === "generate") generate = text.slice(start, end);
    if (name === "model") model = textAt(text, { start, end }) || undefined;
    if (name === "client_metadata") metadata = metadataAt(text, start);
  }
  const isSelfContained = previous === "null" || previous === '""';
  return { isSelfContained, warmsUp: generate === "false", model, metadata };
}

/** Header (and metadata key) that ties the requests of one turn to the server that began it. */
export const TURN_STATE = "x-codex-turn-state";

// --- internal ---

function metadataAt(text: string, start: number): string | undefined {
  const metadata = memberOf(text, TURN_METADATA, start);
  return metadata && textAt(text, metadata);
}

/** The type of an item that contains encrypted content; undefined for any other item. */
function encryptedType(text: string, item: Span): string | undefined {
  let type: string | undefined;
  let isEncrypted = false;
  for (const member of membersOf(text, item.start)) {
    if (member.name === "type") type = textAt(text, member);
    if (member.name === "encrypted_content") isEncrypted = text[member.start] === '"';
  }
  return isEncrypted ? type : undefined;
}

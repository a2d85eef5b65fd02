// Reads the metadata that Codex sends with a turn: the kind of the request, the id of the turn, and the directory of the
// project. Over HTTP they are in a header, over WebSocket in the request's `client_metadata`. Small metadata are parsed, which is native and
// takes a sixth of the time of a scan; larger ones are scanned, so that the depth of what is parsed stays bounded.

import { fieldsOf, memberOf, membersOf, stringFields } from "./json.ts";
import { CLIENT_TURN_KINDS, type TurnKind } from "./turn-record.ts";

/** The header with the metadata, and the name of the member of `client_metadata`. */
export const TURN_METADATA = "x-codex-turn-metadata";

export interface TurnMetadata {
  readonly kind: TurnKind | undefined;
  /** The id of the prompt that the request belongs to. */
  readonly turnId: string | undefined;
  /** The working directory. Codex sends it only for a directory under version control. */
  readonly project: string | undefined;
}

/** Reads `text`, the JSON of the metadata; undefined or other text means that nothing is known. */
export function turnMetadataOf(text: string | null | undefined): TurnMetadata {
  if (text === null || text === undefined || text.length > LONGEST_METADATA) return NOTHING;
  return text.length <= SMALL ? parsed(text) : scanned(text);
}

// --- internal ---

/** Codex sends about one KiB. */
const LONGEST_METADATA = 64 * 1024;
const SMALL = 4_096;

const NOTHING: TurnMetadata = { kind: undefined, turnId: undefined, project: undefined };

function parsed(text: string): TurnMetadata {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return NOTHING; // the turn itself does not depend on them
  }
  const { request_kind: named, turn_id: turnId, workspaces } = fieldsOf(value);
  const [project] = Object.keys(fieldsOf(workspaces));
  return metadataOf({ named, turnId, project });
}

function scanned(text: string): TurnMetadata {
  const { request_kind: named, turn_id: turnId } = stringFields(text, ["request_kind", "turn_id"]);
  const workspaces = memberOf(text, "workspaces");
  const first = workspaces && membersOf(text, workspaces.start).next().value;
  return metadataOf({ named, turnId, project: (first || undefined)?.name });
}

/** `project`: the first directory, which is the one that Codex was started in. */
function metadataOf(found: {
  readonly named: unknown;
  readonly turnId: unknown;
  readonly project: string | undefined;
}): TurnMetadata {
  return {
    kind: CLIENT_TURN_KINDS.find((kind) => kind === found.named),
    turnId: typeof found.turnId === "string" ? found.turnId : undefined,
    project: found.project || undefined,
  };
}

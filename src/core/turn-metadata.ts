// Reads the metadata that Codex sends with a turn: the kind of the request, and the directory of the project. Over HTTP
// they are in a header, over WebSocket in the request's `client_metadata`.

import { memberOf, membersOf, stringFields } from "./json.ts";
import { TURN_KINDS, type TurnKind } from "./turn-record.ts";

/** The header with the metadata, and the name of the member of `client_metadata`. */
export const TURN_METADATA = "x-codex-turn-metadata";

export interface TurnMetadata {
  readonly kind: TurnKind | undefined;
  /** The working directory. Codex sends it only for a directory under version control. */
  readonly project: string | undefined;
}

/** Reads `text`, the JSON of the metadata; undefined or other text means that nothing is known. */
export function turnMetadataOf(text: string | null | undefined): TurnMetadata {
  if (text === null || text === undefined || text.length > LONGEST_METADATA) return NOTHING;
  const { request_kind: named } = stringFields(text, ["request_kind"]);
  const workspaces = memberOf(text, "workspaces");
  // The first directory is the one that Codex was started in.
  const first = workspaces && membersOf(text, workspaces.start).next().value;
  return {
    kind: TURN_KINDS.find((kind) => kind === named),
    project: (first || undefined)?.name || undefined,
  };
}

// --- internal ---

/** Codex sends about one KiB. */
const LONGEST_METADATA = 64 * 1024;

const NOTHING: TurnMetadata = { kind: undefined, project: undefined };

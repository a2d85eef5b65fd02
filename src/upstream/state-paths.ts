// Requests about state that the backend keeps for one account: a session's notes and history, and uploaded files. No
// other account can read this state, so these requests go to the account that has it.
//
// Codex 0.171 with `features.token_budget.use_history_notes_extension` was seen to send POST …/codex/alpha/notes/v2/… and
// …/codex/alpha/history/v2/… for these operations, with the session in the body (`context.session_id`) and in no header:
// thread_hint (before the first turn of a thread), read_file, write_file, list_windows. The names of the others are in
// the tools that it offers to the model. The paths of files are strings in its executable, but were not seen in use.

import { remembered } from "../core/bounded-map.ts";

/** A path for state that belongs to one account. */
export type StatePath =
  | { readonly kind: "notes"; readonly operation: string; readonly isSearchable: boolean }
  | { readonly kind: "history"; readonly isSearchable: boolean }
  /** `fileId`: undefined for the request that creates a file. */
  | { readonly kind: "files"; readonly fileId: string | undefined; readonly isSearchable: boolean };

/**
 * What `path` says about state that belongs to one account; undefined for any other path. `isSearchable`: a request for
 * state that an account does not have changes nothing there, so it may be sent to one account after another.
 */
export const statePathOf = remembered(256, (path): StatePath | undefined => {
  const [, kind, operation = ""] = MEMORY.exec(path) ?? [];
  if (kind === "history") return { kind, isSearchable: true };
  if (kind === "notes") return { kind, operation, isSearchable: NOTE_READS.has(operation) };
  const file = FILES.exec(path);
  if (file === null) return undefined;
  const [, fileId] = file;
  return { kind: "files", fileId, isSearchable: fileId !== undefined };
});

// --- internal ---

const MEMORY = /\/alpha\/(notes|history)\/v\d+\/([a-z_]+)$/;
const NOTE_READS: ReadonlySet<string> = new Set([
  "thread_hint",
  "list_files_by_prefix",
  "read_file",
  "search_contents",
]);
const FILES = /^(?:\/backend-api)?\/files(?:\/([\w-]{1,128})(?:\/[a-z]+)?)?$/;

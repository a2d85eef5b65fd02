// The keys of state that belongs to one account, among the bindings of sessions (affinity.ts).

/** The key of an uploaded file. */
export function fileKey(fileId: string): string {
  return `file ${fileId}`;
}

/** The key of a session of the apps server (MCP), which only the account that opened it can continue. */
export function appsKey(sessionId: string): string {
  return `mcp ${sessionId}`;
}

/** The key of the notes of a session. */
export function notesKey(session: string): string {
  return `notes ${session}`;
}

/** True if `key` is one of these, and not a session. */
export function isStateKey(key: string): boolean {
  return /^(?:file|mcp|notes) \S+$/.test(key);
}

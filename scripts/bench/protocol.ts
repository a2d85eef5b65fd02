// The protocol between the benchmark's backend and its clients.

/** The paths that a load requests. */
export const PATHS = {
  turn: "/backend-api/codex/responses",
  small: "/backend-api/codex/analytics-events/events",
  upload: "/backend-api/codex/images/edits",
  download: "/backend-api/codex/images/generations",
} as const;

export const LARGE_BYTES = 10 * 1024 * 1024;

/** The beginning of a message that requests a turn. The backend returns all other messages. */
export const TURN_START = '{"type":"response.create"';

/** A fast hash, to prove that a body arrived unchanged. */
export function hashOf(bytes: ArrayBuffer | Uint8Array): string {
  return Bun.hash(bytes).toString(36);
}

/** The number of messages in one turn over WebSocket. */
export const TURN_MESSAGES = 13;

/** An event in the format of server-sent events. */
export function asSse(type: string, event: unknown): string {
  return `event: ${type}\ndata: ${JSON.stringify(event)}\n\n`;
}

// The protocol between the benchmark's backend and its clients.

/** The paths that a load requests. */
export const PATHS = {
  turn: "/backend-api/codex/responses",
  small: "/backend-api/codex/analytics-events/events",
  upload: "/backend-api/codex/images/edits",
  download: "/backend-api/codex/images/generations",
} as const;

export const LARGE_BYTES = 10 * 1024 * 1024;

/** How a message that requests a turn begins; the backend returns all other messages. */
export const TURN_START = '{"type":"response.create"';

/** A fast hash, to prove that a body arrived unchanged. */
export function hashOf(bytes: ArrayBuffer | Uint8Array): string {
  return Bun.hash(bytes).toString(36);
}

/** Messages of one turn over WebSocket. */
export const TURN_MESSAGES = 13;

/** One server-sent event. */
export function asSse(type: string, event: unknown): string {
  return `event: ${type}\ndata: ${JSON.stringify(event)}\n\n`;
}

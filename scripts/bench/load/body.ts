// The bodies and messages of the loads.

import { TURN_START } from "../protocol.ts";

/** A request for a turn, `bytes` bytes long (at least 180). */
export function turnBody(session: string, bytes: number): string {
  const body = (text: string) =>
    JSON.stringify({
      model: "bench",
      stream: true,
      store: false,
      prompt_cache_key: session,
      input: [{ type: "message", role: "user", content: [{ type: "input_text", text }] }],
    });
  return body("x".repeat(Math.max(0, bytes - body("").length)));
}

/** The message that requests a turn over WebSocket. */
export function turnMessage(session: string): string {
  return `${TURN_START},${turnBody(session, TURN_MESSAGE_BYTES).slice(1)}`;
}

/** A message of 200 characters that requests no turn. */
export const ECHO_MESSAGE = JSON.stringify({ type: "response.cancel", text: "x".repeat(166) });

/** The headers that Codex sends with a turn. */
export function turnHeaders(
  headers: Readonly<Record<string, string>>,
  session: string,
): Record<string, string> {
  return {
    ...headers,
    accept: "text/event-stream",
    "content-type": "application/json",
    "user-agent": "codex_cli_rs/0.171.0",
    originator: "codex_cli_rs",
    "session-id": session,
  };
}

// --- internal ---

const TURN_MESSAGE_BYTES = 1_000;

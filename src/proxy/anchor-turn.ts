// Sends the turn that starts the 5h window of an account. It takes the same path as every other turn, so credentials,
// limits, failures and the record of turns are handled in the same places; only this one account may serve it.

import type { AnchorResult } from "../core/anchor/anchor-result.ts";
import type { TurnRecord } from "../core/turn-record.ts";
import { messageOf } from "../errors.ts";
import type { IncomingRequest, ProxyContext } from "./context.ts";
import { forward } from "./http/forward.ts";

/**
 * Sends the smallest possible turn for `model` on the account with this id, and reads its response to the end. Never
 * throws. `stopping` ends it; it also ends after two minutes.
 */
export async function sendAnchorTurn(
  context: ProxyContext,
  accountId: string,
  model: string,
  stopping: AbortSignal,
): Promise<AnchorResult> {
  const { clock } = context.deps;
  const ending = new AbortController();
  const end = () => ending.abort();
  if (stopping.aborted) end();
  stopping.addEventListener("abort", end, { once: true });
  const cancelTimer = clock.after(LONGEST_MS, end);
  let ended: TurnRecord | undefined;
  const turns = () => {
    const record = context.turns();
    return (turn: TurnRecord) => {
      ended = turn;
      record?.(turn);
    };
  };
  try {
    const { response } = await forward({ ...context, turns }, requestOf(accountId, model, ending.signal));
    for await (const _chunk of response.body ?? []);
  } catch (error) {
    if (ended === undefined) return { kind: "failed", why: messageOf(error) };
  } finally {
    cancelTimer();
    stopping.removeEventListener("abort", end);
  }
  return resultOf(ended);
}

// --- internal ---

/** A turn of a few tokens takes seconds. */
const LONGEST_MS = 2 * 60_000;
const PATH = "/backend-api/codex/responses";

/** The backend requires every field that is not in `input`, and refuses a limit of the output. */
function bodyFor(model: string): Record<string, unknown> {
  return {
    model,
    instructions: "Reply with: ok",
    input: [{ type: "message", role: "user", content: [{ type: "input_text", text: "ok" }] }],
    tools: [],
    reasoning: { effort: "low" },
    store: false,
    stream: true,
  };
}

function requestOf(accountId: string, model: string, signal: AbortSignal): IncomingRequest {
  const body = new TextEncoder().encode(JSON.stringify(bodyFor(model)));
  const headers = {
    accept: "text/event-stream",
    "content-type": "application/json",
    "content-length": String(body.byteLength),
    originator: "codex_exec",
  };
  return {
    request: new Request(`http://localhost${PATH}`, { method: "POST", headers, body, signal }),
    signal,
    ended: () => {},
    isRevoked: () => false,
    holder: undefined,
    isHandshake: false,
    connection: NO_CONNECTION,
    requestId: NO_REQUEST,
    path: PATH,
    search: "",
    hops: [],
    runId: undefined,
    pinnedId: undefined,
    tags: [],
    waitMs: 0,
    noteTurn: () => {},
    attemptsLeft: undefined,
    anchorsId: accountId,
  };
}

/** The requests of clients are counted from 1. */
const NO_REQUEST = 0;

/** No client is connected. */
const NO_CONNECTION: IncomingRequest["connection"] = {
  received: async () => {},
  streams: () => () => {},
  upgrades: () => () => {},
  lasts: () => {},
  handled: () => {},
};

function resultOf(turn: TurnRecord | undefined): AnchorResult {
  if (turn === undefined) return { kind: "failed", why: "the turn did not end" };
  const { outcome, code, tokens, durationMs } = turn;
  if (outcome !== "completed" && outcome !== "incomplete")
    return { kind: "failed", why: code === undefined ? outcome : `${outcome}: ${code}` };
  return { kind: "served", tokens: tokens && tokens.input + tokens.output, durationMs };
}

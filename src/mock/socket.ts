// The simulated backend's WebSocket: one turn per `response.create` message. A response id is valid only on its own
// socket.

import type { ServerWebSocket, WebSocketHandler } from "bun";
import { z } from "zod";
import { parseJson } from "../core/json.ts";
import type { MockAccount } from "./accounts.ts";
import type { MockContext } from "./context.ts";
import { changesEvents, type Fault } from "./faults.ts";
import { inputProblem, readTurnRequest, type TurnRequest } from "./turns.ts";
import { modelsEtag, rateEvent, refusalOf } from "./wire.ts";

export interface MockSocket {
  readonly path: string;
  readonly account: MockAccount;
  /** The ids of responses on this socket. */
  readonly responses: Set<string>;
}

/** The backend's largest message. Larger ones end the connection with 1009. */
const MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024;

/** The headers about message size in the backend's 101. Codex reads them from 0.171 on. */
export const MESSAGE_LIMIT_HEADERS = { "x-codex-websocket-max-message-bytes": String(MESSAGE_LIMIT_BYTES) };

export function socketHandlers(context: MockContext): WebSocketHandler<MockSocket> {
  return {
    idleTimeout: 0,
    maxPayloadLength: MESSAGE_LIMIT_BYTES,
    message: async (socket, message) => {
      const json = parseJson(String(message));
      const { account, path } = socket.data;
      context.note({ point: "message", method: "WS", path, account: account.alias, headers: {}, json });
      const asked = readTurnRequest(json);
      if (asked === undefined)
        return error(context, socket, 400, "invalid_request_error", "the message is not a request");
      const fault = context.faults.take(asked.generate ? ["message", "turn"] : ["warmup"], account.alias);
      if (fault?.delayMs !== undefined) await Bun.sleep(fault.delayMs);
      if (fault !== undefined && (await happen(fault, context, socket, asked))) return;
      answer(context, socket, asked);
    },
  };
}

// --- internal ---

type Socket = ServerWebSocket<MockSocket>;

/** Applies a fault. Returns false if it only delays the turn. */
async function happen(
  fault: Fault,
  context: MockContext,
  socket: Socket,
  asked: TurnRequest,
): Promise<boolean> {
  if (fault.hang) return true;
  if (fault.reset) {
    socket.terminate();
    return true;
  }
  if (fault.answer !== undefined) {
    socket.send(JSON.stringify(asEvent(fault.answer)));
    return true;
  }
  if (!changesEvents(fault)) return false;
  const made = fault.events ?? context.turns.events(asked, socket.data.account);
  const events = made.slice(0, fault.cutAfter ?? made.length);
  if (fault.gateAfter !== undefined) {
    send(context, socket, events.splice(0, fault.gateAfter));
    await context.faults.released(() => socket.readyState !== WebSocket.OPEN);
  }
  send(context, socket, events);
  if (fault.end === "reset") socket.terminate();
  if (fault.end === "close") socket.close(fault.closeCode);
  return true;
}

/**
 * Turns an HTTP response into the event that the backend would send instead, with all fields of the body, such as
 * `error` or `detail`. A body with a `type` is already an event. Plain text becomes the error's message.
 */
function asEvent({ status, headers, body }: NonNullable<Fault["answer"]>): unknown {
  const fields = z.looseObject({ type: z.string().optional() }).safeParse(body).data;
  if (fields?.type !== undefined) return body;
  const error = typeof body === "string" ? { message: body } : { message: "no" };
  return { type: "error", status, ...(fields ?? { error }), headers };
}

function answer(context: MockContext, socket: Socket, asked: TurnRequest): void {
  const { account, responses } = socket.data;
  const previous = asked.previous_response_id;
  if (previous && !responses.has(previous))
    return error(
      context,
      socket,
      400,
      "previous_response_not_found",
      `Previous response with id '${previous}' not found.`,
    );
  const problem = inputProblem(asked, account);
  if (problem !== undefined) return error(context, socket, 400, problem.code, problem.message);
  const isApi = account.apiKey !== undefined;
  if (asked.generate && !isApi) {
    const spent = context.accounts.spend(account, asked.model);
    if (spent.kind === "refused") {
      const refusal = refusalOf(spent, account, context.clock.now());
      return send(context, socket, [{ type: "error", status: 429, ...refusal }]);
    }
  }
  const events = context.turns.events(asked, account);
  const preamble =
    asked.generate && !isApi
      ? [
          rateEvent(context.accounts.rates(account), account.plan),
          { type: "response.metadata", headers: { "x-codex-turn-state": `ts-${account.accountId}` } },
          { type: "codex.response.metadata", headers: { "x-models-etag": modelsEtag(account) } },
        ]
      : [];
  send(context, socket, [...preamble, ...events]);
}

function send(
  { sends }: Pick<MockContext, "sends">,
  socket: Socket,
  events: readonly Record<string, unknown>[],
): void {
  for (const event of events) {
    sends(event);
    const { response } = event;
    if (
      typeof response === "object" &&
      response !== null &&
      "id" in response &&
      typeof response.id === "string"
    )
      socket.data.responses.add(response.id);
    socket.send(JSON.stringify(event));
  }
}

function error(context: MockContext, socket: Socket, status: number, code: string, message: string): void {
  send(context, socket, [
    { type: "error", status, error: { type: "invalid_request_error", code, message, param: null } },
  ]);
}

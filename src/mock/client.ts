// A small client that sends turns as Codex does, for the demo, tests and benchmarks.

import WebSocket from "ws";
import { z } from "zod";
import { parseJson } from "../core/json.ts";
import { blockData, createSseSplitter } from "../proxy/http/sse.ts";

export interface TurnClient {
  /** Sends one turn. Resolves to the text of the response. Rejects with the error that the client received. */
  turn(text: string, model?: string): Promise<string>;
  close(): void;
}

/** Additional headers, for a backend that requires credentials. */
type Extra = Readonly<Record<string, string>>;

/** The proxy, or what names it for each connection: a session may change between the replicas of a pool. */
type ProxyUrl = string | (() => string);

/** A client over HTTP and server-sent events, with the whole history in every request. */
export function createSseClient(proxyUrl: ProxyUrl, session: string, extra: Extra = {}): TurnClient {
  const history: unknown[] = [];
  return {
    turn: async (text, model = DEMO_MODEL) => {
      const item = userItem(text);
      const response = await fetch(`${urlNow(proxyUrl)}/backend-api/codex/responses`, {
        proxy: false,
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "text/event-stream",
          "session-id": session,
          ...extra,
        },
        body: JSON.stringify({
          model,
          stream: true,
          store: false,
          input: [...history, item],
          prompt_cache_key: session,
        }),
      });
      if (!response.ok || response.body === null)
        throw new Error(`status ${response.status}: ${await response.text()}`);
      const answer = createAnswer();
      const splitter = createSseSplitter();
      for await (const chunk of response.body)
        for (const block of splitter.push(chunk)) answer.take(blockData(block) ?? "");
      const answered = answer.text();
      history.push(item, ...answer.items);
      return answered;
    },
    close: () => {},
  };
}

/**
 * A client over WebSocket. Each turn refers to the previous response. If the server asks it to reconnect, it sends the
 * whole history.
 */
export function createSocketClient(proxyUrl: ProxyUrl, session: string, extra: Extra = {}): TurnClient {
  const history: unknown[] = [];
  let open: { readonly socket: WebSocket; previous: string | undefined } | undefined;

  const attempt = async (item: unknown, model: string): Promise<Answer | "reconnect"> => {
    // A socket that was closed between two turns would never respond.
    if (open?.socket.readyState !== WebSocket.OPEN)
      open = { socket: await connect(urlNow(proxyUrl), session, extra), previous: undefined };
    const { socket, previous } = open;
    const answer = await exchange(socket, {
      type: "response.create",
      model,
      store: false,
      prompt_cache_key: session,
      ...(previous === undefined
        ? { input: [...history, item] }
        : { input: [item], previous_response_id: previous }),
    });
    if (answer !== "reconnect") open.previous = answer.responseId;
    else {
      socket.terminate();
      open = undefined;
    }
    return answer;
  };

  return {
    turn: async (text, model = DEMO_MODEL) => {
      const item = userItem(text);
      for (let tries = 0; tries < MOST_RECONNECTS; tries++) {
        const answer = await attempt(item, model);
        if (answer === "reconnect") continue;
        const answered = answer.text();
        history.push(item, ...answer.items);
        return answered;
      }
      throw new Error("the server asked to reconnect too often");
    },
    close: () => open?.socket.close(),
  };
}

// --- internal ---

const DEMO_MODEL = "demo";
/** Codex retries a stream five times. */
const MOST_RECONNECTS = 6;

function urlNow(proxyUrl: ProxyUrl): string {
  return typeof proxyUrl === "string" ? proxyUrl : proxyUrl();
}

function userItem(text: string): unknown {
  return { type: "message", role: "user", content: [{ type: "input_text", text }] };
}

const Event = z.looseObject({
  type: z.string(),
  status: z.number().optional(),
  item: z.looseObject({}).optional(),
  delta: z.string().optional(),
  error: z.looseObject({ code: z.string().nullish(), type: z.string().nullish() }).optional(),
  response: z.looseObject({ id: z.string().optional() }).optional(),
});

interface Answer {
  readonly items: readonly unknown[];
  readonly responseId: string | undefined;
  readonly done: boolean;
  /** The error with which the server refused the turn. */
  readonly failure: { readonly code: string; readonly event: string } | undefined;
  take(json: string): void;
  text(): string;
}

function createAnswer(): Answer {
  const items: unknown[] = [];
  let text = "";
  let responseId: string | undefined;
  let done = false;
  let failure: Answer["failure"];
  return {
    items,
    get responseId() {
      return responseId;
    },
    get done() {
      return done;
    },
    get failure() {
      return failure;
    },
    take: (json) => {
      const event = Event.safeParse(parseJson(json));
      if (!event.success) return;
      const { type, item, delta, response, error } = event.data;
      if (type === "response.output_text.delta") text += delta ?? "";
      if (type === "response.output_item.done" && item !== undefined) items.push(item);
      if (type === "response.completed" || type === "response.incomplete") {
        done = true;
        responseId = response?.id;
      }
      if (type === "error" || type === "response.failed")
        failure = { code: error?.code ?? error?.type ?? "failed", event: json };
    },
    text: () => {
      if (failure !== undefined) throw new Error(`the turn failed: ${failure.event}`);
      if (!done) throw new Error(`the response ended early, after ${JSON.stringify(text)}`);
      return text;
    },
  };
}

function connect(proxyUrl: string, session: string, extra: Extra): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${proxyUrl.replace(/^http/, "ws")}/backend-api/codex/responses`, {
      headers: { "session-id": session, "openai-beta": "responses_websockets=2026-02-06", ...extra },
    });
    socket.once("open", () => resolve(socket));
    socket.once("unexpected-response", (_request, reply) => {
      let body = "";
      reply.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      reply.on("end", () => reject(new Error(`status ${reply.statusCode}: ${body}`)));
    });
    socket.once("error", reject);
  });
}

function exchange(socket: WebSocket, request: unknown): Promise<Answer | "reconnect"> {
  return new Promise((resolve, reject) => {
    const answer = createAnswer();
    const finish = (result: Answer | "reconnect") => {
      socket.off("message", message);
      socket.off("close", closed);
      socket.off("error", reject);
      resolve(result);
    };
    const closed = () => finish("reconnect");
    const message = (data: Buffer) => {
      answer.take(data.toString("utf8"));
      if (answer.failure?.code === "websocket_connection_limit_reached") return finish("reconnect");
      if (answer.done || answer.failure !== undefined) finish(answer);
    };
    socket.on("message", message);
    socket.on("close", closed);
    socket.on("error", reject);
    socket.send(JSON.stringify(request));
  });
}

// A client that takes one turn as Codex 0.171 does, including failures: silent retries, messages, waits, and the end of
// the turn. The rules were measured with the real Codex; test/real checks the most important rows against it. The
// client does not sleep: it passes its waits to `waited`, which advances all clocks.

import WebSocket from "ws";
import { failureOfEvent } from "../../src/core/failure.ts";
import { parseJson } from "../../src/core/json.ts";
import { blockData, createSseSplitter } from "../../src/proxy/http/sse.ts";

export interface SeenTurn {
  /** The account that completed the turn. */
  readonly servedBy: string | undefined;
  /** The messages that the user reads, other than the answer, in order; empty if there were none. */
  readonly shown: readonly string[];
  /** Connections and requests it took. */
  readonly tries: number;
}

export interface CodexLike {
  readonly url: string;
  readonly session: string;
  /** Waits. */
  waited(seconds: number): void;
  /** Whether the turn has had output. */
  hadOutput(): void;
}

/** The result of one try. */
type Tried =
  | { readonly kind: "done"; readonly text: string }
  /** It will be tried again, after `waitSeconds` if the response named a time. */
  | { readonly kind: "again"; readonly why: string; readonly waitSeconds?: number }
  /** It is retried immediately, and shown to the user only if the fields say so. */
  | { readonly kind: "use_http"; readonly shown?: string }
  | { readonly kind: "terminal"; readonly shown: string };

const MOST_RETRIES = 5;
/** Requests of one try over HTTP that fails with a server's error. */
const MOST_REQUESTS = 5;

export async function takeTurn(client: CodexLike, transport: "websocket" | "sse"): Promise<SeenTurn> {
  const shown: string[] = [];
  let tries = 0;
  const run = async (attempt: () => Promise<Tried>): Promise<SeenTurn | "use_http"> => {
    for (let retry = 0; ; retry++) {
      const tried = await attempt();
      tries++;
      if (tried.kind === "done") return { servedBy: /Hello from (\w+)/.exec(tried.text)?.[1], shown, tries };
      if (tried.kind === "use_http") {
        if (tried.shown !== undefined) shown.push(tried.shown);
        return "use_http";
      }
      if (tried.kind === "terminal") return { servedBy: undefined, shown: [...shown, tried.shown], tries };
      if (retry === MOST_RETRIES) {
        if (transport === "websocket" && attempt === overSocket) {
          shown.push("Falling back from WebSockets to HTTPS transport");
          return "use_http";
        }
        return { servedBy: undefined, shown: [...shown, tried.why], tries };
      }
      // Over WebSocket only the first retry is silent; over HTTP the repeated requests of a try are.
      if (retry > 0 || tried.why.startsWith("exceeded")) shown.push(`Reconnecting... ${retry + 1}/5`);
      client.waited(tried.waitSeconds ?? 0.2 * 2 ** retry);
    }
  };
  const socket = transport === "websocket" ? createSocket(client) : undefined;
  const overSocket = async () => socket?.turn() ?? { kind: "use_http" as const };
  try {
    const ended = await run(transport === "websocket" ? overSocket : () => overHttp(client));
    if (ended !== "use_http") return ended;
    socket?.close();
    const second = await run(() => overHttp(client));
    return second === "use_http" ? { servedBy: undefined, shown, tries } : second;
  } finally {
    socket?.close();
  }
}

// --- internal ---

const PATH = "/backend-api/codex/responses";
const INPUT = [{ type: "message", role: "user", content: [{ type: "input_text", text: "hello" }] }];

function createSocket(client: CodexLike): { turn(): Promise<Tried>; close(): void } {
  let socket: WebSocket | undefined;
  let isWarm = false;
  return {
    turn: async () => {
      if (socket === undefined) {
        const opened = await open(client);
        if (!(opened instanceof WebSocket)) return opened;
        socket = opened;
      }
      let previous: string | undefined;
      if (!isWarm) {
        isWarm = true;
        const warmed = await exchange(client, socket, { generate: false, input: [] });
        previous = warmed.id;
        if (warmed.tried.kind !== "done") {
          socket.terminate();
          socket = undefined;
          return { kind: "again", why: "prewarm" };
        }
      }
      const { tried } = await exchange(client, socket, { input: INPUT, previous_response_id: previous });
      if (tried.kind !== "done") {
        socket.terminate();
        socket = undefined;
      }
      return tried;
    },
    close: () => socket?.terminate(),
  };
}

const TOO_LARGE: Tried = {
  kind: "use_http",
  shown:
    "Falling back from WebSockets to HTTPS transport. websocket request exceeds the peer's message size limit",
};

function open({ url, session }: CodexLike): Promise<WebSocket | Tried> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}${PATH}`, {
      headers: { "session-id": session, originator: ORIGINATOR },
    });
    socket.once("open", () => resolve(socket));
    socket.once("error", () => resolve({ kind: "again", why: "stream disconnected" }));
    socket.once("unexpected-response", (_request, reply) => {
      let body = "";
      reply.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      reply.on("end", () =>
        resolve(refusedUpgrade(reply.statusCode ?? 0, reply.headers["retry-after"], body)),
      );
    });
  });
}

function refusedUpgrade(status: number, retryAfter: string | undefined, body: string): Tried {
  const { code, message } = errorOf(body);
  if (status === 426) return { kind: "use_http" };
  if (status === 429) return tooMany(code, retryAfter);
  if (status === 400) return { kind: "terminal", shown: badRequest(code, message, body) };
  if (status === 503 && code === "server_is_overloaded") return { kind: "terminal", shown: AT_CAPACITY };
  return { kind: "again", why: `unexpected status ${status}` };
}

/** The text that Codex shows for a 400: the message for some codes, otherwise the whole body. */
function badRequest(code: string | undefined, message: string | undefined, body: string): string {
  if (code === "budget_reached") return POLICY_WORDS.budget_reached;
  return message !== undefined && SHOWS_MESSAGE.has(code ?? "") ? message : body;
}

/** 400 codes whose message Codex shows. */
const SHOWS_MESSAGE: ReadonlySet<string> = new Set([
  "bio_policy",
  "content_policy_violation",
  "misalignment_policy_violation",
]);
/** 403 codes that end the turn. */
const FINAL_403: ReadonlySet<string> = new Set(["inference_hook_denied", "misalignment_policy_violation"]);
const POLICY_WORDS = {
  budget_reached: "budget reached",
  flex_unavailable: "Flex capacity unavailable.",
  policy_capacity_unavailable: "Policy-restricted capacity is unavailable. Please try again later.",
} as const;

/** The header by which the proxy recognizes Codex. */
const ORIGINATOR = "codex_exec";
const AT_CAPACITY = "Selected model is at capacity";
const LIMITED = "You've hit your usage limit";

function tooMany(
  code: string | undefined,
  retryAfter: string | undefined,
  reached: string | undefined = undefined,
): Tried {
  if (code === "usage_limit_reached")
    return { kind: "terminal", shown: WORKSPACE_WORDS[reached ?? ""] ?? LIMITED };
  if (code === "usage_not_included") return { kind: "terminal", shown: "upgrade to Plus" };
  const why = "exceeded retry limit, last status: 429";
  if (retryAfter === undefined) return { kind: "terminal", shown: why };
  return { kind: "again", why, waitSeconds: Number(retryAfter) };
}

/** The text that Codex shows for a usage limit, by kind. */
const WORKSPACE_WORDS: Readonly<Record<string, string>> = {
  workspace_member_credits_depleted:
    "Your workspace is out of credits. Ask your workspace owner to refill in order to continue.",
  workspace_owner_credits_depleted: "Your workspace is out of credits. Add credits to continue.",
  workspace_member_usage_limit_reached:
    "You hit your spend cap set by the owner of your workspace. Ask an owner to increase your spend cap to continue.",
  workspace_owner_usage_limit_reached:
    "You hit your spend cap set in your workspace. Increase your spend cap to continue.",
};

function reachedType(headers: Pick<Headers, "get">): string | undefined {
  return headers.get("x-codex-rate-limit-reached-type") ?? undefined;
}

function exchange(
  client: CodexLike,
  socket: WebSocket,
  request: Record<string, unknown>,
): Promise<{ readonly tried: Tried; readonly id?: string | undefined }> {
  return new Promise((resolve) => {
    const answer = createAnswer(client, "websocket");
    const finish = (tried: Tried) => {
      socket.removeAllListeners();
      socket.on("error", () => {});
      resolve({ tried, id: answer.id() });
    };
    socket.on("message", (data: Buffer) => {
      const tried = answer.take(data.toString());
      if (tried !== undefined) finish(tried);
    });
    socket.on("close", (closeCode: number) =>
      finish(closeCode === 1009 ? TOO_LARGE : { kind: "again", why: "stream disconnected" }),
    );
    socket.on("error", () => finish({ kind: "again", why: "stream disconnected" }));
    socket.send(JSON.stringify({ type: "response.create", model: "m", store: false, ...request }));
  });
}

async function overHttp(client: CodexLike): Promise<Tried> {
  const { url, session, waited } = client;
  for (let request = 1; ; request++) {
    let response: Response;
    try {
      response = await fetch(url + PATH, {
        method: "POST",
        headers: { "content-type": "application/json", "session-id": session, originator: ORIGINATOR },
        body: JSON.stringify({ model: "m", stream: true, store: false, input: INPUT }),
      });
    } catch {
      if (request === MOST_REQUESTS) return { kind: "again", why: "connection failed" };
      waited(0.2 * 2 ** (request - 1));
      continue;
    }
    const retryAfter = response.headers.get("retry-after") ?? undefined;
    if (response.ok) return readStream(client, response);
    const body = await response.text();
    const { code, message } = errorOf(body);
    if (response.status === 429) return tooMany(code, retryAfter, reachedType(response.headers));
    if (response.status === 400) return { kind: "terminal", shown: badRequest(code, message, body) };
    if (response.status === 403 && FINAL_403.has(code ?? ""))
      return { kind: "terminal", shown: message ?? body };
    if (response.status === 401)
      return { kind: "terminal", shown: "a 401: Codex would renew a token that is not its own" };
    if (response.status < 500) return { kind: "again", why: `unexpected status ${response.status}` };
    if (request === MOST_REQUESTS)
      return code === "server_is_overloaded"
        ? { kind: "terminal", shown: AT_CAPACITY }
        : { kind: "again", why: `unexpected status ${response.status}` };
    waited(retryAfter === undefined ? 0.2 * 2 ** (request - 1) : Number(retryAfter));
  }
}

async function readStream(client: CodexLike, response: Response): Promise<Tried> {
  const answer = createAnswer(client, "sse");
  const splitter = createSseSplitter();
  try {
    for await (const chunk of response.body ?? [])
      for (const block of splitter.push(chunk)) {
        const tried = answer.take(blockData(block) ?? "");
        if (tried !== undefined) return tried;
      }
  } catch {
    // cut off, as below
  }
  return { kind: "again", why: "stream disconnected" };
}

/** Reads events until one of them decides. */
function createAnswer(
  client: CodexLike,
  transport: "websocket" | "sse",
): {
  take(json: string): Tried | undefined;
  id(): string | undefined;
} {
  let text = "";
  let id: string | undefined;
  return {
    id: () => id,
    take: (json) => {
      const event = parseJson(json) as
        | { type?: string; delta?: string; response?: { id?: string } }
        | undefined;
      if (event?.type === "response.output_text.delta") {
        if (text === "") client.hadOutput();
        text += event.delta ?? "";
      }
      if (event?.type === "response.completed") {
        id = event.response?.id;
        return { kind: "done", text };
      }
      if (event?.type === "response.failed") return failedTurn(event);
      return event?.type === "error" && transport === "websocket" ? failedSocket(event, json) : undefined;
    },
  };
}

function failedTurn(event: unknown): Tried {
  const { code, message, retryAfterMs } = failureOfEvent(event, Date.now());
  switch (code) {
    case "bio_policy":
    case "content_policy_violation":
    case "inference_hook_denied":
    case "misalignment_policy_violation":
      return { kind: "terminal", shown: message };
    case "budget_reached":
    case "flex_unavailable":
    case "policy_capacity_unavailable":
      return { kind: "terminal", shown: POLICY_WORDS[code] };
    case "insufficient_quota":
      return { kind: "terminal", shown: "Quota exceeded" };
    case "context_length_exceeded":
      return { kind: "terminal", shown: "ran out of room in the model's context window" };
    case "server_is_overloaded":
      return { kind: "terminal", shown: AT_CAPACITY };
    case "rate_limit_exceeded":
      return { kind: "again", why: "rate limit", waitSeconds: (retryAfterMs ?? 200) / 1000 };
    default:
      return { kind: "again", why: "stream disconnected" };
  }
}

/** An `error` event over WebSocket. Undefined: ignored, which is what Codex does without a status. */
function failedSocket(event: unknown, json: string): Tried | undefined {
  const { status, code, message, retryAfterMs } = failureOfEvent(event, Date.now());
  if (status === undefined) return undefined;
  if (status === 429)
    return tooMany(
      code,
      retryAfterMs === undefined ? undefined : String(retryAfterMs / 1000),
      reachedType(new Headers((event as { headers?: Record<string, string> }).headers)),
    );
  const reconnects = code === "previous_response_not_found" || code === "websocket_connection_limit_reached";
  if (status === 503 && code === "server_is_overloaded") return { kind: "terminal", shown: AT_CAPACITY };
  if (status === 400 && !reconnects) return { kind: "terminal", shown: badRequest(code, message, json) };
  if (status === 404 || (status === 403 && FINAL_403.has(code ?? "")))
    return { kind: "terminal", shown: message };
  return { kind: "again", why: "stream disconnected" };
}

function errorOf(body: string): { readonly code: string | undefined; readonly message: string | undefined } {
  const parsed = parseJson(body) as
    | { error?: { code?: string; type?: string; message?: string } }
    | undefined;
  return { code: parsed?.error?.code ?? parsed?.error?.type, message: parsed?.error?.message };
}

// The benchmark's backend. It is as cheap as Bun.serve can be, so that the proxies are the bottleneck, and it sends the
// headers, events and account status that a proxy for Codex processes.
//
//   POST /backend-api/codex/responses                         a short turn of four events
//   POST /backend-api/codex/responses?paced=200&every=10      200 events of 300 bytes, one each 10 ms
//   POST /backend-api/codex/responses?silent                  two events, then nothing
//   POST /backend-api/codex/responses?limited=ID              a usage limit; for the second request with this ID a turn
//                                                           with an event that carries the time of the limit
//   GET  /backend-api/codex/responses (WebSocket)             13 messages for each response.create, an echo for others
//   POST /backend-api/codex/images/edits                      the size and hash of the body
//   POST /backend-api/codex/images/generations                a body of 10 MB
//   POST any other path                                       1 KB of JSON

import type { Server, ServerWebSocket } from "bun";
import { type BackendAccount, createBackendAccounts } from "./backend-accounts.ts";
import { sharedNowMs } from "./clock.ts";
import { createPacer } from "./paced-streams.ts";
import { hashOf, LARGE_BYTES, PATHS, TURN_START } from "./protocol.ts";
import { stampedEvent } from "./stamps.ts";

export interface Backend {
  readonly origin: string;
  readonly accounts: ReadonlyMap<string, BackendAccount>;
  stop(): Promise<void>;
}

/** Starts the backend with `count` accounts on any free port, and writes their logins to `homes`. */
export function startBackend(count: number, homes: string): Backend {
  const accounts = createBackendAccounts(count, homes);
  const paced = createPacer();
  const refusedAt = new Map<string, number>();

  const turn = (account: BackendAccount, query: string): Response => {
    const params = new URLSearchParams(query);
    const headers = { ...EVENT_STREAM, ...account.turnHeaders };
    const pace = params.get("paced");
    if (pace !== null) {
      const body = paced(account.shortTurn, { events: Number(pace), everyMs: Number(params.get("every")) });
      return new Response(body, { headers });
    }
    const limited = params.get("limited");
    if (limited === null) return new Response(silentStream(account), { headers });
    const atMs = refusedAt.get(limited);
    if (atMs !== undefined) {
      const [first = "", ...others] = account.shortTurn;
      return new Response([first, stampedEvent(atMs), ...others].join(""), { headers });
    }
    refusedAt.set(limited, sharedNowMs());
    return usageLimit(account);
  };

  const server = Bun.serve<BackendAccount>({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    development: false,
    maxRequestBodySize: 2 * LARGE_BYTES,
    fetch: async (request, self) => {
      const path = request.url.slice(request.url.indexOf("/", "http://".length));
      const account = accounts.get(request.headers.get("chatgpt-account-id") ?? "");
      if (account?.credentials.authorization !== request.headers.get("authorization"))
        return Response.json({ detail: "Unauthorized" }, { status: 401 });
      if (request.method === "GET") return question(account, path, request, self);
      const body = await request.arrayBuffer();
      if (path === PATHS.turn)
        return new Response(shortStream(account), { headers: { ...EVENT_STREAM, ...account.turnHeaders } });
      if (path.startsWith(PATHS.turn)) return turn(account, path.slice(PATHS.turn.length));
      if (path === PATHS.upload) return Response.json({ bytes: body.byteLength, hash: hashOf(body) });
      if (path === PATHS.download) return new Response(LARGE_BODY, { headers: JSON_TYPE });
      return new Response(SMALL_BODY, { headers: JSON_TYPE });
    },
    websocket: {
      idleTimeout: 0,
      perMessageDeflate: false,
      maxPayloadLength: LARGE_BYTES,
      message: (socket: ServerWebSocket<BackendAccount>, message) => {
        if (typeof message !== "string" || !message.startsWith(TURN_START)) return void socket.send(message);
        socket.cork(() => {
          for (const event of socket.data.socketTurn) socket.send(event);
        });
      },
    },
  });
  const origin = `http://127.0.0.1:${server.port}`;
  return { origin, accounts, stop: () => server.stop(true) };
}

// --- internal ---

const EVENT_STREAM = { "content-type": "text/event-stream", "cache-control": "no-cache" };
const JSON_TYPE = { "content-type": "application/json" };
const SMALL_BODY = JSON.stringify({ ok: true, text: "x".repeat(1_000) });
const LARGE_BODY = Buffer.alloc(LARGE_BYTES, '{"b64_json":"iVBORw0KGgoAAAANSUhEUgAA"}');

function question(
  account: BackendAccount,
  path: string,
  request: Request,
  server: Server<BackendAccount>,
): Response | undefined {
  if (path.startsWith(PATHS.turn))
    return server.upgrade(request, { data: account, headers: account.turnHeaders })
      ? undefined
      : new Response("not a WebSocket", { status: 400 });
  if (path.endsWith("/wham/usage")) return Response.json(account.usage());
  if (path.includes("/models"))
    return Response.json({ models: [] }, { headers: { etag: account.turnHeaders["x-models-etag"] ?? "" } });
  if (path.endsWith("/accounts/check")) return Response.json(workspaceOf(account));
  return Response.json({ detail: "Not Found" }, { status: 404 });
}

function workspaceOf({ credentials: { "chatgpt-account-id": id } }: BackendAccount): unknown {
  const workspace = {
    id,
    workspace_backend_origin: "https://chatgpt.com",
    account_routing_override: "NO_CONSTRAINT",
    structure: "personal",
    plan_type: "pro",
  };
  return { accounts: [workspace], default_account_id: id, account_ordering: [id] };
}

function usageLimit({ turnHeaders }: BackendAccount): Response {
  const resetsInSeconds = 3_600;
  const error = {
    type: "usage_limit_reached",
    message: "The usage limit has been reached",
    plan_type: "pro",
    resets_at: Math.floor(Date.now() / 1000) + resetsInSeconds,
    resets_in_seconds: resetsInSeconds,
  };
  const headers = { ...turnHeaders, "x-codex-active-limit": "codex", "x-codex-primary-used-percent": "100" };
  return Response.json({ error }, { status: 429, headers });
}

/** The events of a short turn. As from the real backend, each has its own chunk and packet. */
function shortStream({ shortTurn }: BackendAccount): ReadableStream<Uint8Array> {
  return directStream(async (controller) => {
    for (const event of shortTurn) {
      controller.write(event);
      await controller.flush();
      await new Promise((resolve) => setImmediate(resolve));
    }
    void controller.close();
  });
}

/** A turn that begins and then stays silent until the client disconnects. */
function silentStream({ shortTurn: [first = ""] }: BackendAccount): ReadableStream<Uint8Array> {
  return directStream((controller) => {
    controller.write(first);
    controller.write(stampedEvent());
    void controller.flush();
    return new Promise<void>(() => {});
  });
}

function directStream(
  pull: (controller: ReadableStreamDirectController) => Promise<void> | undefined,
): ReadableStream<Uint8Array> {
  return new ReadableStream({ type: "direct", pull });
}

if (import.meta.main) {
  const [count = "2", homes = ""] = process.argv.slice(2);
  console.log(startBackend(Number(count), homes).origin);
}

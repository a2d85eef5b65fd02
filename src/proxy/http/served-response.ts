// What happens with the reply that serves a request: the turn is recorded, the session is bound, and the client gets the
// reply with the pool's values in place of the account's.

import { stringFields } from "../../core/json.ts";
import type { Lease } from "../../upstream/leases.ts";
import { isCompactPath, isTurnPath } from "../../upstream/paths.ts";
import type { AttemptResult } from "../attempts.ts";
import { decodeBody } from "../bodies.ts";
import { poolVersion } from "../catalogues.ts";
import type { IncomingRequest, ProxyContext } from "../context.ts";
import type { Exchange } from "../exchange.ts";
import { pathForLog } from "../guard.ts";
import { downstreamHeaders } from "../headers.ts";
import { poolHeaders } from "../pool-limits.ts";
import { appsSession } from "../session.ts";
import type { TurnRecorder } from "../turn/turn-recorder.ts";
import { clientResponse } from "./client-response.ts";
import type { HttpReply } from "./send-http.ts";

/** The client's response for a request that `lease`'s upstream has served. */
export function servedResponse(
  context: ProxyContext,
  exchange: Exchange,
  { lease, reply, verdict }: AttemptResult<HttpReply> & { kind: "reply" },
): Response {
  const { incoming } = exchange;
  const { requestId, path } = incoming;
  const { status } = reply.response;
  context.events.append("request.completed", {
    ...lease.upstream.named,
    path: pathForLog(path),
    req_id: requestId,
    status,
  });
  if (isCompactPath(path) && verdict.kind === "ok") lease.hold();
  const opened = appsSession(reply.response.headers);
  if (opened !== undefined) lease.bind(opened);
  return clientResponse(context, exchange, reply, {
    headers: servedHeaders(context, incoming, lease, reply.response),
    patienceMs: lease.upstream.patienceMs,
    release: () => {
      lease.release();
      incoming.ended();
    },
    broke: () => lease.broke(),
  });
}

/** Records the end of a turn whose reply has arrived as a whole, or is a failure. */
export function recordReply(
  recorder: TurnRecorder,
  { response, body }: HttpReply,
): Promise<void> | undefined {
  const hasFailed = response.status >= 400 || (body.kind === "turn" && body.turn.failure !== undefined);
  if (hasFailed) recorder.end("failed", body.kind === "stream" ? `http-${response.status}` : undefined);
  if (hasFailed || body.kind !== "whole") return undefined;
  return decodeBody(body.bytes, response.headers.get("content-encoding")).then((text) =>
    recorder.wholeResponse(text ?? ""),
  );
}

/** Remembers that the file which the reply names belongs to the account that created it. */
export async function noteNewFile(
  { pool }: Pick<ProxyContext, "pool">,
  { lease, reply: { response, body }, verdict }: AttemptResult<HttpReply> & { kind: "reply" },
): Promise<void> {
  if (verdict.kind !== "ok" || body.kind !== "whole") return;
  const text = await decodeBody(body.bytes, response.headers.get("content-encoding"));
  // The executable of Codex 0.171 contains the name of this field.
  const { file_id } = stringFields(text ?? "", ["file_id"]);
  if (file_id !== undefined) pool.stateOwners.created(file_id, lease.upstream.id);
}

// --- internal ---

/** The reply's headers as the client may see them, with the pool's values in place of the account's. */
function servedHeaders(
  context: ProxyContext,
  incoming: IncomingRequest,
  { upstream }: Lease,
  response: Response,
): Headers {
  const headers = downstreamHeaders(response.headers);
  if (isTurnPath(incoming.path)) poolHeaders(headers, context.pool.usage);
  if (response.ok) poolVersion(context, incoming, upstream.id, headers);
  return headers;
}

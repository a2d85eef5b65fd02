// The model catalogue for clients: the union over the pool. Its own response and the replies to all turns carry the
// same version.

import { parseJson } from "../core/json.ts";
import { eventType } from "../core/turn.ts";
import type { CatalogueRequest } from "../upstream/catalogues.ts";
import { isModelsPath, isTurnPath } from "../upstream/paths.ts";
import { limitedCatalogue, limitedVersion } from "./allowed-models.ts";
import type { IncomingRequest, ProxyContext } from "./context.ts";
import { pathForLog } from "./guard.ts";

/**
 * The response to a catalogue request. Undefined if `incoming` is another request, the client does not name its
 * version, or no upstream has answered in time. In that case an account gets the request.
 */
export async function catalogueResponse(
  { catalogues, events }: ProxyContext,
  incoming: IncomingRequest,
): Promise<Response | undefined> {
  const { request, path, search, hops, requestId, ended } = incoming;
  const { method, headers } = request;
  if ((method !== "GET" && method !== "HEAD") || !isModelsPath(path)) return undefined;
  const clientVersion = believable(new URLSearchParams(search).get("client_version"));
  if (clientVersion === undefined) return undefined;
  const union = await catalogues.union({ clientVersion, headers, hops });
  if (union === undefined) return undefined;
  const { version, bytes } = limitedCatalogue(union, incoming);
  const isKnown = matches(headers.get("if-none-match"), version);
  const status = isKnown ? 304 : 200;
  events.append("request.completed", { req_id: requestId, status, path: pathForLog(path) });
  ended();
  return isKnown
    ? new Response(null, { status, headers: { etag: version } })
    : new Response(bytes, { headers: { "content-type": "application/json", etag: version } });
}

/**
 * Replaces the catalogue version of upstream `upstreamId` with the pool's in the headers of a reply. Replies to turns
 * always get the pool's version. While it is unknown they carry none, and Codex keeps its current catalogue.
 */
export function poolVersion(
  context: ProxyContext,
  incoming: IncomingRequest,
  upstreamId: string,
  headers: Headers,
): void {
  const named = headers.get(MODELS_ETAG);
  if (named === null && !isTurnPath(incoming.path)) return;
  const version = versionFor(context, incoming, upstreamId, named);
  if (version === undefined) headers.delete(MODELS_ETAG);
  else headers.set(MODELS_ETAG, version);
}

/**
 * Like `poolVersion`, for a WebSocket event: Codex reads the version in `codex.response.metadata`. Returns undefined if
 * the event has none.
 */
export function poolVersionEvent(
  context: ProxyContext,
  incoming: IncomingRequest,
  upstreamId: string,
  json: string,
): string | undefined {
  if (eventType(json) !== METADATA) return undefined;
  const event = parseJson(json);
  if (typeof event !== "object" || event === null || !("headers" in event)) return undefined;
  const { headers } = event;
  if (typeof headers !== "object" || headers === null) return undefined;
  const entries = Object.entries(headers);
  const named = entries.find(([name]) => name.toLowerCase() === MODELS_ETAG)?.[1];
  if (named === undefined) return undefined;
  const version = versionFor(context, incoming, upstreamId, typeof named === "string" ? named : null);
  const others = entries.filter(([name]) => name.toLowerCase() !== MODELS_ETAG);
  const added = version === undefined ? [] : [[MODELS_ETAG, version] as const];
  return JSON.stringify({ ...event, headers: Object.fromEntries([...others, ...added]) });
}

// --- internal ---

/** The header with the account's catalogue version at the backend. */
const MODELS_ETAG = "x-models-etag";
const METADATA = "codex.response.metadata";

function versionFor(
  { catalogues }: ProxyContext,
  { request: { headers }, hops, holder }: IncomingRequest,
  upstreamId: string,
  named: string | null,
): string | undefined {
  const clientVersion = believable(headers.get("version"));
  if (clientVersion === undefined) return undefined;
  if (named !== null) catalogues.noteVersion(clientVersion, upstreamId, named);
  const request: CatalogueRequest = { clientVersion, headers, hops };
  const version = catalogues.version(request);
  return version === undefined ? undefined : limitedVersion(version, holder);
}

/** A version of Codex, such as `0.171.0` or `0.172.0-alpha.3`. */
function believable(version: string | null): string | undefined {
  return version !== null && /^\d[\w.+-]{0,63}$/.test(version) ? version : undefined;
}

/** True if `If-None-Match` contains `version` (RFC 9110, 13.1.2: weak comparison). */
function matches(header: string | null, version: string): boolean {
  if (header === null) return false;
  return header.split(",").some((one) => one.trim() === "*" || one.trim().replace(/^W\//, "") === version);
}

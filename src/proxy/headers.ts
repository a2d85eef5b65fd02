// Decides which headers cross the proxy. One list for each direction contains the headers that clients or the backend
// are known to need. All other headers are dropped, so that an unforeseen one can neither identify the client nor set a
// policy on the proxy's origin.

import { remembered } from "../core/bounded-map.ts";

/** The client's headers that any upstream may see. The upstream adds its own credentials. */
export function outgoingHeaders(incoming: Headers, options: { readonly turn: boolean }): Headers {
  const headers = passed(incoming, goesUp);
  // The proxy reads a turn's response while forwarding it, so the response must not be compressed.
  if (options.turn) headers.delete("accept-encoding");
  return headers;
}

/** An upstream's headers as the client may see them. */
export function downstreamHeaders(upstream: Headers): Headers {
  return passed(upstream, comesDown);
}

// --- internal ---

// Namespaces of Codex, OpenAI, MCP and the openai SDKs. Unknown names in them pass, because each Codex release adds
// some. Our own `x-codexlb-` is not among them.
const UP_PREFIX = /^(?:x-codex-|x-openai-|openai-|x-oai-|oai-|x-responsesapi-|mcp-|x-stainless-)/;
const DOWN_PREFIX = /^(?:x-codex-|x-openai-|openai-|x-oai-|oai-|x-responsesapi-|mcp-|x-ratelimit-)/;

const UP: ReadonlySet<string> = new Set([
  // content and content negotiation
  "accept",
  "accept-encoding",
  "accept-language",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-range",
  "content-type",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "range",
  // Codex: client, session, thread and request, in the spellings of all versions
  "conversation-id",
  "conversation_id",
  "originator",
  "session-id",
  "session_id",
  "thread-id",
  "thread_id",
  "user-agent",
  "version",
  "x-client-request-id",
  "x-request-id",
  "x-session-id",
  // W3C trace context, which Codex sends when its telemetry is on
  "traceparent",
  "tracestate",
  // SDKs and MCP
  "idempotency-key",
  "last-event-id",
]);

const DOWN: ReadonlySet<string> = new Set([
  "accept-ranges",
  "age",
  "allow",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-length",
  "content-range",
  "content-type",
  "date",
  "etag",
  "expires",
  "last-modified",
  // The client follows redirects, with its own credentials; the proxy does not.
  "location",
  "retry-after",
  "retry-after-ms",
  "vary",
  // Codex prints or acts on these
  "cf-mitigated",
  "cf-ray",
  "x-error-json",
  "x-models-etag",
  "x-reasoning-included",
  "x-request-id",
  "x-should-retry",
]);

/** Rate limits: `x-codex-primary-used-percent`, and the same for limits with other names. */
const LIMIT =
  /^x-.+-(?:(?:primary|secondary)-(?:used-percent|window-minutes|reset-at|reset-after-seconds)|limit-name|primary-over-secondary-limit-percent)$/;

/**
 * Credentials and assertions (`x-openai-agent-assertion`, `x-openai-actor-authorization`,
 * `openai-sentinel-proof-token`) were issued to the client's identity, not to an account of the pool.
 */
const ASSERTION = /-(?:api-key|assertion|authorization|cookie|credentials?|secret|token)$/;

/** Never forwarded from the client, because the route depends on the account, which adds its own. */
const ROUTING = "x-openai-account-routing-override";

/** Headers that identify the account that served the request, or its owner. */
const ACCOUNT_NAMES: ReadonlySet<string> = new Set(["openai-organization", "openai-project", ROUTING]);

/** Clients and backends use a few dozen names. */
const MOST_NAMES = 512;

const goesUp = remembered(
  MOST_NAMES,
  (name) => UP.has(name) || (UP_PREFIX.test(name) && !ASSERTION.test(name) && name !== ROUTING),
);

const comesDown = remembered(MOST_NAMES, (name) => {
  if (DOWN.has(name)) return true;
  if (DOWN_PREFIX.test(name)) return !ASSERTION.test(name) && !ACCOUNT_NAMES.has(name);
  return LIMIT.test(name);
});

/** Copies all headers and deletes some, which is cheaper than copying them one by one. */
function passed(source: Headers, passes: (name: string) => boolean): Headers {
  const headers = new Headers(source);
  source.forEach((_value, name) => {
    if (!passes(name)) headers.delete(name);
  });
  // RFC 9110, 7.6.1: headers that `Connection` names apply to that connection only.
  for (const name of (source.get("connection") ?? "").split(",")) {
    const named = name.trim();
    if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(named)) headers.delete(named);
  }
  return headers;
}

// Which headers cross the proxy: one list for each direction, of what clients and backend are known to need. Anything
// else stays on its own side, so that a header nobody thought of can neither identify the client nor set a policy on
// the proxy's origin.

/** The client's headers as any upstream may see them; the upstream adds its own credentials. */
export function outgoingHeaders(incoming: Headers, options: { readonly turn: boolean }): Headers {
  const headers = passed(incoming, goesUp);
  // A turn's answer is read on its way through, so it must not be compressed.
  if (options.turn) headers.delete("accept-encoding");
  return headers;
}

/** An upstream's headers as the client may see them. */
export function downstreamHeaders(upstream: Headers): Headers {
  return passed(upstream, comesDown);
}

// --- internal ---

// Namespaces of Codex, OpenAI and MCP, and of the openai SDKs. Unknown names in them pass: each release of Codex adds
// some. `x-codexlb-` is not among them.
const UP_PREFIX = /^(?:x-codex-|x-openai-|openai-|x-oai-|oai-|x-responsesapi-|mcp-|x-stainless-)/;
const DOWN_PREFIX = /^(?:x-codex-|x-openai-|openai-|x-oai-|oai-|x-responsesapi-|mcp-|x-ratelimit-)/;

const UP: ReadonlySet<string> = new Set([
  // content and its negotiation
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
  // Codex: who it is and which session, thread and request this is, in the spellings of all versions
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
  // Redirects are the client's to follow, with its own credentials: the proxy follows none.
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

/** Rate limits: `x-codex-primary-used-percent`, and the same for a limit of any other name. */
const LIMIT =
  /^x-.+-(?:(?:primary|secondary)-(?:used-percent|window-minutes|reset-at|reset-after-seconds)|limit-name|primary-over-secondary-limit-percent)$/;

/**
 * Credentials and assertions (`x-openai-agent-assertion`, `x-openai-actor-authorization`,
 * `openai-sentinel-proof-token`): they were made for the identity of the client, and no account of the pool is that.
 */
const ASSERTION = /-(?:api-key|assertion|authorization|cookie|credentials?|secret|token)$/;

/** The route is a property of the account, so the account adds it. */
const ROUTING = "x-openai-account-routing-override";

/** They name the account that served, or its owner. */
const ACCOUNT_NAMES: ReadonlySet<string> = new Set(["openai-organization", "openai-project", ROUTING]);

function goesUp(name: string): boolean {
  return UP.has(name) || (UP_PREFIX.test(name) && !ASSERTION.test(name) && name !== ROUTING);
}

function comesDown(name: string): boolean {
  if (DOWN.has(name)) return true;
  if (DOWN_PREFIX.test(name)) return !ASSERTION.test(name) && !ACCOUNT_NAMES.has(name);
  return LIMIT.test(name);
}

/** Copying all and deleting some is cheaper than copying some one by one. */
function passed(source: Headers, passes: (name: string) => boolean): Headers {
  const headers = new Headers(source);
  for (const name of source.keys()) if (!passes(name)) headers.delete(name);
  // RFC 9110, 7.6.1: what `Connection` names belongs to that connection alone.
  for (const name of (source.get("connection") ?? "").split(",")) {
    const named = name.trim();
    if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(named)) headers.delete(named);
  }
  return headers;
}

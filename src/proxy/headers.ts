// Which headers cross the proxy. The one place that every request and reply passes: what is the client's own does
// not go up, what is the connection's own goes nowhere, and cookies go neither way.

import { ATTEMPTS_HEADER, HOPS_HEADER } from "../core/hops.ts";

/** The client's headers as any upstream may see them; credentials are added later, by the upstream itself. */
export function outgoingHeaders(incoming: Headers, options: { readonly turn: boolean }): Headers {
  const headers = without(incoming, CLIENT_ONLY);
  // A turn's answer is read on its way through, so it must not come compressed.
  if (options.turn) headers.delete("accept-encoding");
  return headers;
}

/** An upstream's headers as the client may see them. */
export function downstreamHeaders(upstream: Headers): Headers {
  return without(upstream, UPSTREAM_ONLY);
}

// --- internal ---

/** RFC 9110, 7.6.1, with the names that older software still uses. */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
] as const;

const CLIENT_ONLY: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  // set anew for the upstream's connection
  "host",
  "content-length",
  "expect",
  // who the client is, or which proxy it came through, is not the upstream's business
  "authorization",
  "chatgpt-account-id",
  "cookie",
  "proxy-authorization",
  "forwarded",
  "via",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  "x-real-ip",
  // decided per account
  "x-openai-account-routing-override",
  // of the proxies of a chain; set anew for a child
  HOPS_HEADER,
  ATTEMPTS_HEADER,
  // of the client's own WebSocket handshake
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-extensions",
  "sec-websocket-accept",
]);

const UPSTREAM_ONLY: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  "proxy-authenticate",
  // of the upstream's own origin; wrong or harmful on ours
  "set-cookie",
  "alt-svc",
  "strict-transport-security",
  "sec-websocket-accept",
  "sec-websocket-extensions",
  // told anew for a proxy in front
  ATTEMPTS_HEADER,
]);

function without(source: Headers, names: ReadonlySet<string>): Headers {
  const headers = new Headers(source);
  for (const name of (source.get("connection") ?? "").split(",")) {
    const named = name.trim();
    if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(named)) headers.delete(named);
  }
  for (const name of names) headers.delete(name);
  return headers;
}

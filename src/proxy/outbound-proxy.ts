// The HTTP proxy that a connection to the backend has to go through, from the environment. `fetch` finds it by
// itself; the WebSocket client has to be told.

import type { Deps } from "../deps.ts";

/**
 * The proxy for `url` (http, https, ws or wss), undefined for none: `HTTPS_PROXY` or `HTTP_PROXY` in either case,
 * unless `NO_PROXY` names the host (`*`, a host, a domain with or without a leading dot, each perhaps with a port) or
 * the host is this machine.
 */
export function outboundProxy(url: string, env: Deps["env"]): string | undefined {
  const { protocol, hostname, port } = new URL(url);
  const secure = protocol === "https:" || protocol === "wss:";
  const read = (name: string) => env[name.toLowerCase()]?.trim() || env[name]?.trim();
  const proxy = read(secure ? "HTTPS_PROXY" : "HTTP_PROXY");
  if (!proxy || LOOPBACK.test(hostname)) return undefined;
  const exempt = (read("NO_PROXY") ?? "")
    .split(/[\s,]+/)
    .some((entry) => names(entry, hostname, port || (secure ? "443" : "80")));
  if (exempt) return undefined;
  return proxy.includes("://") ? proxy : `http://${proxy}`;
}

// --- internal ---

const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

function names(entry: string, hostname: string, port: string): boolean {
  if (entry === "") return false;
  if (entry === "*") return true;
  const match = /^(.+?)(?::(\d+))?$/.exec(entry.toLowerCase());
  const host = match?.[1]?.replace(/^\*?\./, "") ?? "";
  if (match?.[2] !== undefined && match[2] !== port) return false;
  return hostname === host || hostname.endsWith(`.${host}`);
}

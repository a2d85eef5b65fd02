// Picks the HTTP proxy for connections to the backend: the account's own, the setting's, or the environment's.

import type { Deps } from "../deps.ts";
import { isLoopbackHost, plainHost } from "./private-hosts.ts";

/** The value of `proxy.outbound_proxy` that ignores the environment's proxy. */
export const NO_OUTBOUND_PROXY = "none";

export interface ProxySource {
  /** `proxy.outbound_proxy`: a URL, `none`, or "" for the environment's proxy. */
  readonly setting: string;
  readonly env: Deps["env"];
}

/**
 * The proxy for `url` (http, https, ws or wss); undefined to connect directly. The setting comes first, then
 * `HTTPS_PROXY` (for http and ws: `HTTP_PROXY`), then `ALL_PROXY`, each in lower case before upper case. Hosts on this
 * machine and hosts in `NO_PROXY` (`*`, a host, a domain with or without a leading dot, each optionally with a port)
 * are reached directly.
 */
export function outboundProxy(url: string, { setting, env }: ProxySource): string | undefined {
  const { protocol, hostname, port } = new URL(url);
  if (isLoopbackHost(hostname) || setting === NO_OUTBOUND_PROXY) return undefined;
  const secure = isSecure({ protocol });
  const proxy = setting || proxyOfEnvironment(secure, env)?.url;
  if (proxy === undefined) return undefined;
  const exempt = (variable(env, "NO_PROXY") ?? "")
    .split(/[\s,]+/)
    .some((entry) => names(entry, plainHost(hostname), port || (secure ? "443" : "80")));
  return exempt ? undefined : proxy;
}

/** The problem with `text` as an outbound proxy URL; undefined if usable. Never contains the password. */
export function outboundProxyProblem(text: string): string | undefined {
  const hasScheme = text.includes("://");
  const shown = JSON.stringify(hasScheme ? withoutPassword(text) : text.replace(/^.*@/s, "[redacted]@"));
  if (/^socks/i.test(text))
    return `${shown} is a SOCKS proxy; only http:// and https:// proxies are supported`;
  const isUrl = /^https?:\/\/[^/]/.test(text) && URL.canParse(text);
  if (isUrl && /^\/?$/.test(restOf(new URL(text)))) return undefined;
  const host = hasScheme ? undefined : hostAndPort(text);
  const login = host === undefined || text.includes("@") ? "user:password@" : "";
  return `${shown} is not the URL of an HTTP proxy; write it as http://${login}${host ?? "proxy.example:3128"}`;
}

/** The problem with the environment's proxy for `url`; undefined if it is usable or not set. */
export function environmentProblem(url: string, env: Deps["env"]): string | undefined {
  const proxy = outboundProxy(url, { setting: "", env });
  const problem = proxy === undefined ? undefined : outboundProxyProblem(proxy);
  if (problem === undefined) return undefined;
  return `${proxyOfEnvironment(isSecure(new URL(url)), env)?.name ?? "the environment"}: ${problem}`;
}

/** A URL without user and password, safe to show. */
export function withoutPassword(url: string): string {
  return url.replace(/^([a-z][a-z\d+.-]*:\/\/).*@/i, "$1[redacted]@");
}

// --- internal ---

function proxyOfEnvironment(secure: boolean, env: Deps["env"]): { name: string; url: string } | undefined {
  for (const upper of [secure ? "HTTPS_PROXY" : "HTTP_PROXY", "ALL_PROXY"])
    for (const name of [upper.toLowerCase(), upper]) {
      const value = env[name]?.trim();
      if (value) return { name, url: value.includes("://") ? value : `http://${value}` };
    }
  return undefined;
}

function isSecure({ protocol }: Pick<URL, "protocol">): boolean {
  return protocol === "https:" || protocol === "wss:";
}

function variable(env: Deps["env"], name: string): string | undefined {
  return env[name.toLowerCase()]?.trim() || env[name]?.trim();
}

/** The host and port of `text`, a proxy URL without `http://`. */
function hostAndPort(text: string): string | undefined {
  const [, host] = /^([^\s/?#]+:\d+)\/?$/.exec(text.slice(text.lastIndexOf("@") + 1)) ?? [];
  return host !== undefined && URL.canParse(`http://${host}`) ? host : undefined;
}

function restOf({ pathname, search, hash }: URL): string {
  return `${pathname}${search}${hash}`;
}

function names(entry: string, host: string, port: string): boolean {
  if (entry === "") return false;
  if (entry === "*") return true;
  const match = /^(.+?)(?::(\d+))?$/.exec(entry.toLowerCase());
  const name = match?.[1]?.replace(/^\*?\./, "") ?? "";
  if (match?.[2] !== undefined && match[2] !== port) return false;
  return host === name || host.endsWith(`.${name}`);
}

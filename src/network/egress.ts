// An `Egress` says how a connection leaves this machine: directly or through an HTTP proxy, and with which trusted
// certificates. Every request to another host uses one, so that Bun never applies the environment by its own rules.

import type { Deps } from "../deps.ts";
import { outboundProxy } from "./outbound-proxy.ts";
import { isPrivateHost } from "./private-hosts.ts";
import { type Trust, trustOf } from "./trust.ts";

export interface Egress {
  /** URL of the HTTP proxy, perhaps with user and password; undefined: connect directly. */
  readonly proxy: string | undefined;
  /** Undefined: Bun's default trust. */
  readonly trust: Trust | undefined;
}

export interface Outbound {
  /**
   * The egress to the backend, the token endpoint or the sign-in service. `own` is the account's own outbound proxy. It
   * overrides the setting and the environment, including `NO_PROXY`; only hosts on this machine are reached without it.
   */
  toBackend(url: string, own?: string): Egress;
  /** The egress to another codexlb proxy: direct if its host is private. */
  toProxy(url: string): Egress;
}

export interface OutboundOptions {
  readonly env: Deps["env"];
  /** The current `proxy.outbound_proxy`. Default: "", the environment's proxy. */
  readonly setting?: () => string;
}

/** Its functions throw `invalid_config` for TLS connections while `CODEX_CA_CERTIFICATE` is unusable. */
export function createOutbound({ env, setting = () => "" }: OutboundOptions): Outbound {
  const egress = (url: string, proxy: string | undefined): Egress => {
    const isTls = url.startsWith("https:") || proxy?.startsWith("https:");
    return { proxy, trust: isTls ? trustOf(env) : undefined };
  };
  /** The egress for each host, until the setting changes. Each turn needs it several times. */
  const known = new Map<string, Egress>();
  let knownSetting: string | undefined;
  /** The latest result. Comparing with it takes a fraction of the time of building a key: most requests are alike. */
  let latest: { readonly url: string; readonly own: string | undefined; readonly egress: Egress } | undefined;
  const find = (url: string, own: string | undefined, now: string): Egress => {
    if (now !== knownSetting || known.size >= MOST_KNOWN) known.clear();
    // What follows may throw, and a result for the former setting must not remain.
    latest = undefined;
    knownSetting = now;
    const place = `${hostOf(url)} ${own ?? ""}`;
    const before = known.get(place);
    if (before !== undefined) return before;
    const source = own === undefined ? { setting: now, env } : { setting: own, env: {} };
    const found = egress(url, outboundProxy(url, source));
    known.set(place, found);
    return found;
  };
  const toBackend = (url: string, own?: string): Egress => {
    const now = setting();
    if (now !== knownSetting || latest?.url !== url || latest.own !== own)
      latest = { url, own, egress: find(url, own, now) };
    return latest.egress;
  };
  return {
    toBackend,
    toProxy: (url) => (isPrivateHost(new URL(url).hostname) ? egress(url, undefined) : toBackend(url)),
  };
}

/** The options of `fetch` with which a command reaches the codexlb proxy at `url`. */
export function optionsToProxy(url: string): ReturnType<typeof fetchOptions> {
  return fetchOptions(createOutbound({ env: process.env }).toProxy(url));
}

/**
 * Hides `NO_PROXY` from Bun in this process. Otherwise Bun's WebSocket client would skip a proxy passed to it if
 * `NO_PROXY` names the host. `createOutbound` applies `NO_PROXY` itself, from the environment passed to it.
 */
export function hideNoProxy(): void {
  delete process.env.NO_PROXY;
  delete process.env.no_proxy;
}

/** The options of `fetch` for `egress`. */
export function fetchOptions({ proxy, trust }: Egress): Pick<BunFetchRequestInit, "proxy" | "session"> {
  return {
    // NO_PROXY has already been applied.
    proxy: proxy === undefined ? false : { url: proxy, respectNoProxy: false },
    ...(trust === undefined ? {} : { session: trust.session }),
  };
}

/** The options of the `ws` client for `egress`; `proxy` is Bun's own. */
export function socketOptions({ proxy, trust }: Egress): { proxy?: string; ca?: string[] } {
  return {
    ...(proxy === undefined ? {} : { proxy }),
    ...(trust === undefined ? {} : { ca: [...trust.ca] }),
  };
}

// --- internal ---

/** The number of accounts with an outbound proxy of their own, times the hosts that they connect to. */
const MOST_KNOWN = 4_096;

/** Scheme, host and port. */
function hostOf(url: string): string {
  const end = url.indexOf("/", url.indexOf("://") + 3);
  return end < 0 ? url : url.slice(0, end);
}

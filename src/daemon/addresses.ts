// The URLs of the proxy.

import { isWildcard, type ListenAddress } from "../core/listen.ts";

/** Where commands on this machine connect to a proxy that listens on `host`. */
export function urlOf({ host }: ListenAddress, port: number): string {
  return urlFor(isWildcard(host) ? "127.0.0.1" : host, port);
}

export function urlFor(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

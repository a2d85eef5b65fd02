// Who may speak to us at all: every request's Host must name an address we listen on, and no request may come
// from a web page. That closes the door to pages in the user's browser (cross-site requests, DNS rebinding).

import { hostname, networkInterfaces } from "node:os";
import { CodexlbError } from "../errors.ts";

export interface ListenAddress {
  /** As for binding: a name or an address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Reads `127.0.0.1:8765`, `:8765` (all addresses) or `[::1]:8765`. Throws `invalid_config`. */
export function parseListen(listen: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(listen.trim());
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw new CodexlbError("invalid_config", `proxy.listen: ${JSON.stringify(listen)} is not an address`, {
      next: 'write it as "127.0.0.1:8765"',
    });
  return { host: match[1] ?? (match[2] || "0.0.0.0"), port };
}

/** True for addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return /^127\.\d+\.\d+\.\d+$/.test(host) || LOOPBACK_NAMES.has(host.toLowerCase());
}

/** Returns the refusal of a request, undefined when it may pass. `allowedHosts` are further names of this proxy. */
export function createGuard(
  listen: ListenAddress,
  allowedHosts: readonly string[],
): (request: Request) => CodexlbError | undefined {
  const names = new Set([...hostNames(listen), ...allowedHosts].map(normalise));
  const own = (name: string) => names.has(name) || (names.has("localhost") && isLoopback(name));
  return (request) => {
    const host = request.headers.get("host");
    if (host === null || !own(normalise(hostOf(host))))
      return new CodexlbError(
        "host_refused",
        `this proxy does not go by the name ${JSON.stringify(host ?? "")}`,
        {
          next: "add the name to proxy.allowed_hosts in config.toml if it is meant to",
        },
      );
    if (request.headers.get("origin") !== null)
      return new CodexlbError("origin_refused", "requests of web pages are refused", {
        next: "send no Origin header",
      });
    return undefined;
  };
}

// --- internal ---

const LOOPBACK_NAMES: ReadonlySet<string> = new Set(["localhost", "::1"]);
const WILDCARDS: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/** The names that reach a socket bound to `listen`. */
function hostNames({ host }: ListenAddress): string[] {
  if (isLoopback(host)) return [host, "localhost", "::1"];
  if (!WILDCARDS.has(host)) return [host];
  const addresses = Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).map((entry) => entry.address),
  );
  return [...addresses, hostname(), "localhost", "::1"];
}

function hostOf(header: string): string {
  return /^\[([^\]]+)\](?::\d+)?$/.exec(header)?.[1] ?? header.replace(/:\d+$/, "");
}

/** Lower case, without a trailing dot, and IPv4 that is written as IPv6 as what it is. */
function normalise(host: string): string {
  return host
    .toLowerCase()
    .replace(/\.$/, "")
    .replace(/^::ffff:(\d+\.\d+\.\d+\.\d+)$/, "$1")
    .replace(/^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/, (_all, high: string, low: string) => {
      const bytes = [Number.parseInt(high, 16), Number.parseInt(low, 16)].flatMap((word) => [
        word >> 8,
        word & 255,
      ]);
      return bytes.join(".");
    });
}

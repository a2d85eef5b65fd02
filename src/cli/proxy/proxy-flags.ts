// The flags of a proxy that starts.

import type { ConfigOverrides } from "../../state/config-source.ts";
import type { StartFlags } from "../../state/start-flags.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { integerFlag } from "../flags.ts";

const number = (description: string) => ({ type: "string", description, valueHint: "N" }) as const;

/** The root, and settings that apply to one process only. */
export const PROXY_FLAGS = {
  ...ROOT_FLAG,
  listen: {
    type: "string",
    description: "Address to listen on (default proxy.listen)",
    valueHint: "HOST:PORT",
  },
  upstream: {
    type: "string",
    description: "Backend of the accounts (default proxy.upstream_base_url)",
    valueHint: "URL",
  },
  "max-attempts": number("Try at most N accounts for one request"),
  "usage-timeout-ms": number("Wait at most N ms for the usage and token endpoints"),
  "cooldown-default-seconds": number("Cool an account down for N seconds after a failed connection"),
  "quota-refresh-minutes": number("Fetch an account's quota figures after N minutes without new ones"),
  "quota-refresh-messages": number("Fetch an account's quota figures after N turns without new ones"),
  "quota-cache-ttl-minutes": number("Treat quota figures older than N minutes as unknown"),
} as const;

/** The values of `PROXY_FLAGS` on a command line. */
export type GivenProxyFlags = { readonly [Name in keyof typeof PROXY_FLAGS]?: string | undefined };

/** The flags as settings. Throws `usage`. */
export function overridesOf(given: GivenProxyFlags): ConfigOverrides {
  const integer = (name: keyof GivenProxyFlags) => integerFlag(given[name], name);
  return {
    listen: given.listen,
    upstream: given.upstream,
    maxAttempts: integer("max-attempts"),
    usageTimeoutMs: integer("usage-timeout-ms"),
    cooldownDefaultSeconds: integer("cooldown-default-seconds"),
    quotaRefreshMinutes: integer("quota-refresh-minutes"),
    quotaRefreshMessages: integer("quota-refresh-messages"),
    quotaCacheTtlMinutes: integer("quota-cache-ttl-minutes"),
  };
}

/** The words of a command line that gives the flags, without the root. */
export function wordsOf(given: GivenProxyFlags): string[] {
  return Object.entries(startFlagsOf(given)).flatMap(([name, value]) => [`--${name}`, value]);
}

/** The flags that are given, by name, without the root. */
export function startFlagsOf(given: GivenProxyFlags): StartFlags {
  const names = Object.keys(PROXY_FLAGS) as (keyof GivenProxyFlags)[];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = given[name];
      return name === "root" || value === undefined ? [] : [[name, value]];
    }),
  );
}

/** The flags of `given`, and those of `before` that it does not have. */
export function overlaid(before: GivenProxyFlags, given: GivenProxyFlags): GivenProxyFlags {
  const names = Object.keys(PROXY_FLAGS) as (keyof GivenProxyFlags)[];
  return Object.fromEntries(names.map((name) => [name, given[name] ?? before[name]]));
}

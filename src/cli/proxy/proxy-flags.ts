// The flags of a proxy that starts.

import { ROOT_FLAG } from "../common-flags.ts";

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

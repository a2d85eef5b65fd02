// Keeps Codex's requests to a private codexlb proxy away from the environment's HTTP proxy. Codex uses that proxy for
// every address, loopback included, unless NO_PROXY names the host.

import { BlockList, isIP } from "node:net";
import { isLoopbackHost, isPrivateHost, plainHost } from "../network/private-hosts.ts";
import type { CodexAddresses } from "./addresses.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The variables that set a network's HTTP proxy. */
export const PROXY_VARIABLES: readonly string[] = [
  ...["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].flatMap((name) => [name, name.toLowerCase()]),
];
export const NO_PROXY_VARIABLES = ["NO_PROXY", "no_proxy"] as const;

/** The hosts of `addresses` that Codex must reach directly, because they are private. Empty for a public host. */
export function directHosts(addresses: CodexAddresses): string[] {
  const hosts = privateHosts(addresses);
  const loopback = hosts.some(isLoopbackHost) ? ["127.0.0.1", "localhost", "::1"] : [];
  return [...new Set([...loopback, ...hosts])];
}

/** The private hosts that `addresses` name. */
export function privateHosts({ openai, chatgpt }: CodexAddresses): string[] {
  const hosts = [openai, chatgpt].map((url) => new URL(url).hostname).filter(isPrivateHost);
  return [...new Set(hosts.map(withoutBrackets))];
}

/** Adds `hosts` to `NO_PROXY` and `no_proxy` of `env`. A `*` there is not enough: Codex applies it to names only. */
export function noProxyWith(env: Environment, hosts: readonly string[]): Record<string, string> {
  const values = NO_PROXY_VARIABLES.map((name) => env[name]?.trim() ?? "").filter((value) => value !== "");
  if (hosts.length === 0) return {};
  const known = [...new Set(values)].join(",");
  const added = hosts.join(",");
  const isNamed = `,${known},`.includes(`,${added},`);
  const value = isNamed ? known : [known, added].filter((part) => part !== "").join(",");
  return Object.fromEntries(NO_PROXY_VARIABLES.map((name) => [name, value]));
}

/** True if `env` sets an HTTP proxy. */
export function namesProxy(env: Environment): boolean {
  return PROXY_VARIABLES.some((name) => Boolean(env[name]?.trim()));
}

/**
 * True if Codex connects directly to `host` with `noProxy`, a value of `NO_PROXY`: addresses, subnets and domains,
 * separated by commas. `*` stands for every name, and for no address.
 */
export function isExempt(host: string, noProxy: string): boolean {
  const entries = noProxy
    .toLowerCase()
    .split(",")
    .map((entry) => entry.trim());
  return entries.some((entry) => {
    if (entry === host) return true;
    if (isIP(host) !== 0) return isInSubnet(host, entry);
    if (entry === "*") return true;
    const domain = entry.replace(/^\./, "");
    return domain !== "" && (host === domain || host.endsWith(`.${domain}`));
  });
}

// --- internal ---

function isInSubnet(host: string, entry: string): boolean {
  const [address = "", bits = ""] = entry.split("/");
  const version = isIP(address);
  if (version === 0 || version !== isIP(host) || !/^\d{1,3}$/.test(bits)) return false;
  if (Number(bits) > (version === 6 ? 128 : 32)) return false;
  const family = version === 6 ? "ipv6" : "ipv4";
  const subnet = new BlockList();
  subnet.addSubnet(address, Number(bits), family);
  return subnet.check(host, family);
}

/** The second spelling may have a trailing dot. */
function withoutBrackets(host: string): string {
  return host.startsWith("[") ? plainHost(host) : host;
}

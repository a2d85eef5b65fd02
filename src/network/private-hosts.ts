// Recognizes hosts on this machine or on a private network. A company's or provider's HTTP proxy usually cannot reach
// them.

import { BlockList, isIP } from "node:net";

/** True for `localhost`, names below it, and the loopback addresses. `hostname` is a `URL.hostname`. */
export function isLoopbackHost(hostname: string): boolean {
  const host = plainHost(hostname);
  return host === "localhost" || host.endsWith(".localhost") || isIn(LOOPBACK, host);
}

/**
 * True for loopback hosts, private and link-local addresses, names of a single label (`build`), and names below
 * `.local`, `.internal`, `.lan` and `.home.arpa`.
 */
export function isPrivateHost(hostname: string): boolean {
  const host = plainHost(hostname);
  if (isIP(host) !== 0) return isIn(LOOPBACK, host) || isIn(PRIVATE, host);
  return (
    isLoopbackHost(host) || !host.includes(".") || PRIVATE_ENDINGS.some((ending) => host.endsWith(ending))
  );
}

/** `hostname` in lower case, without IPv6 brackets and without a trailing dot. */
export function plainHost(hostname: string): string {
  return hostname
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase();
}

// --- internal ---

const PRIVATE_ENDINGS = [".local", ".internal", ".lan", ".home.arpa"];

const LOOPBACK = blockList(["127.0.0.0/8"], ["::1/128"]);
/** RFC 1918, link-local, the shared addresses of RFC 6598 (overlay networks use them), unique local IPv6. */
const PRIVATE = blockList(
  ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"],
  ["fc00::/7", "fe80::/10"],
);

function blockList(ipv4: readonly string[], ipv6: readonly string[]): BlockList {
  const list = new BlockList();
  const add = (nets: readonly string[], family: "ipv4" | "ipv6") => {
    for (const net of nets) {
      const [address = "", bits] = net.split("/");
      list.addSubnet(address, Number(bits), family);
    }
  };
  add(ipv4, "ipv4");
  add(ipv6, "ipv6");
  return list;
}

function isIn(list: BlockList, host: string): boolean {
  const family = isIP(host);
  return family !== 0 && list.check(host, family === 6 ? "ipv6" : "ipv4");
}

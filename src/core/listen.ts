// Parses listen addresses, and classifies them.

export interface ListenAddress {
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Reads `127.0.0.1:8765`, `:8765` (all addresses) or `[::1]:8765`; undefined for anything else. */
export function parseListen(listen: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(listen.trim());
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) return undefined;
  return { host: match[1] ?? (match[2] || "0.0.0.0"), port };
}

/** True for addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return /^127\.\d+\.\d+\.\d+$/.test(host) || LOOPBACK_NAMES.has(host.toLowerCase());
}

/** True for addresses that mean every address of the machine. */
export function isWildcard(host: string): boolean {
  return WILDCARDS.has(host);
}

// --- internal ---

const LOOPBACK_NAMES: ReadonlySet<string> = new Set(["localhost", "::1"]);
const WILDCARDS: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

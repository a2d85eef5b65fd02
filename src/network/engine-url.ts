// The URL of the Redis or Valkey server that replicas share.

import { withoutPassword } from "./outbound-proxy.ts";

/** Where the server is, and how to log in. */
export interface EngineAddress {
  readonly at:
    | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly tls: boolean }
    | { readonly kind: "unix"; readonly path: string };
  /** The ACL user; undefined: the default user. */
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
}

const DEFAULT_PORT = 6379;
const NO_HOST = "socket";

/**
 * Reads `redis://user:password@host:6379/0`, `rediss://...` (TLS) or `unix://user:password@/path/to/socket?db=0`. User,
 * password, port (default 6379) and database (default 0) are optional. Returns undefined for any other text.
 */
export function engineAddress(text: string): EngineAddress | undefined {
  // A URL with a login needs a host, which a socket does not have.
  const parsable = text.replace(/^(unix:\/\/[^/@]*@)(?=\/)/, `$1${NO_HOST}`);
  if (!/^(?:rediss?|unix):\/\//.test(parsable) || !URL.canParse(parsable)) return undefined;
  const url = new URL(parsable);
  const username = decoded(url.username);
  const password = decoded(url.password);
  if (username === null || password === null) return undefined;
  const login = { username: username || undefined, password: password || undefined };
  if (url.hash !== "") return undefined;
  if (url.protocol === "unix:") {
    const database = databaseOf(url.searchParams.get("db") ?? "0");
    const hasMore = [...url.searchParams.keys()].some((name) => name !== "db");
    const path = decoded(url.pathname);
    if (
      (url.host !== "" && url.host !== NO_HOST) ||
      !path ||
      path === "/" ||
      hasMore ||
      database === undefined
    )
      return undefined;
    return { at: { kind: "unix", path }, ...login, database };
  }
  const database = databaseOf(url.pathname.slice(1) || "0");
  if (url.hostname === "" || url.search !== "" || database === undefined) return undefined;
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = url.port === "" ? DEFAULT_PORT : Number(url.port);
  return { at: { kind: "tcp", host, port, tls: url.protocol === "rediss:" }, ...login, database };
}

/** The URL without user and password, safe to show. */
export function shownEngine(url: string): string {
  return withoutPassword(url);
}

// --- internal ---

function databaseOf(text: string): number | undefined {
  return /^\d{1,4}$/.test(text) ? Number(text) : undefined;
}

/** The text without percent escapes; null if they are not valid. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

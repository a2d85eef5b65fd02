// Refuses requests before anything else looks at them. The Host header must name an address that this proxy listens on,
// and no web page may have caused the request; this rules out cross-site requests and DNS rebinding. Only the dashboard
// accepts requests of a page, its own. The method must be one that clients use. If clients need a key, the request must
// carry one. The admin paths and the dashboard have their own locks (admin/lock.ts, dashboard/door.ts).

import { hostname, networkInterfaces } from "node:os";
import { advisedElsewhere } from "../advice.ts";
import type { Access } from "../auth/access.ts";
import { remembered } from "../core/bounded-map.ts";
import { DASHBOARD_PATH } from "../core/dashboard-path.ts";
import { isLoopback, isWildcard, type ListenAddress } from "../core/listen.ts";
import { type RunTag, withoutRun } from "../core/run-tag.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import { isAccountsCheckPath } from "../upstream/paths.ts";
import { keyExpired } from "./key-limits.ts";

export interface GuardSettings {
  /** Further names of this proxy. */
  readonly allowedHosts: readonly string[];
  /** True if clients must authenticate with a key or a stub. */
  readonly clientAuth: boolean;
}

/**
 * The methods that Codex and the SDKs use. Only pages of other origins need OPTIONS. TRACE and CONNECT would make this
 * a proxy to any host.
 */
export const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);

/** Returns the refusal of a request, or undefined if it may pass. `target`: its path as sent. */
export type Guard = (request: Request, target: OwnPath) => CodexlbError | undefined;

/** How many Host headers and paths are remembered. Clients use only a few. */
const MOST_REMEMBERED = 256;

export function createGuard(
  listen: ListenAddress,
  settings: () => GuardSettings,
  access: Pick<Access, "roleOf" | "expiredKeyOf">,
  { clock }: Pick<Deps, "clock">,
): Guard {
  let listening = namesOf(listen);
  let readMs = clock.monotonic();
  const isKnown = (name: string) =>
    listening.has(name) ||
    (listening.has("localhost") && isLoopback(name)) ||
    settings().allowedHosts.some((allowed) => normalise(allowed) === name);
  const own = (name: string): boolean => {
    if (isKnown(name)) return true;
    if (!isWildcard(listen.host) || clock.monotonic() - readMs < READ_AGAIN_MS) return false;
    // A network interface may have come up since.
    listening = namesOf(listen);
    readMs = clock.monotonic();
    return isKnown(name);
  };
  return (request, target) => {
    const { key, path } = target;
    const host = request.headers.get("host");
    const name = nameOf(host ?? "");
    if (host !== null && name === undefined)
      return new CodexlbError("invalid_request", `the Host header ${quoted(host)} is not valid`, {
        next: "send one host name or address, with or without a port",
      });
    if (host === null || name === undefined || !own(name))
      return new CodexlbError("host_refused", `${quoted(host ?? "")} is not a name of this proxy`, {
        next: "if clients should use this name, add it to proxy.allowed_hosts in config.toml",
      });
    const page = pageMark(request.headers, host, isDashboardPath(target));
    if (page !== undefined)
      return new CodexlbError("origin_refused", "requests from web pages are refused", {
        next: `leave out the ${page} header; to open one of the proxy's pages, type its address into the browser`,
      });
    if (!METHODS.has(request.method))
      return new CodexlbError("method_refused", `the method ${request.method} is not supported`, {
        next: `use one of ${[...METHODS].join(", ")}`,
      });
    if (!settings().clientAuth) return undefined;
    if (OPEN_PATHS.has(path) || hasOwnLock(path) || isDashboardPath(target)) return undefined;
    const role = access.roleOf(request, key);
    if (role === "metrics") return metricsOnly();
    if (role !== undefined && (role !== "client" || !PARENT_PATHS.has(path))) return undefined;
    if (role === "client")
      return new CodexlbError(
        "key_role_refused",
        // Older proxies in front recognise this error by "may send requests".
        "this key may send requests but cannot read account status",
        {
          next: readNext(),
        },
      );
    const expired = access.expiredKeyOf(request, key);
    // This response has no facts about the accounts, and without it Codex does not show why it is refused.
    if (expired !== undefined && isAccountsCheckPath(path)) return undefined;
    if (expired !== undefined) return keyExpired(expired, clock.now());
    return noAccess(key !== undefined || request.headers.has("authorization"), PARENT_PATHS.has(path));
  };
}

/** The parts of a path such as `/~KEY/@RUN/responses`. `path` is the rest, without key and run. */
export interface OwnPath {
  readonly key: string | undefined;
  readonly run: RunTag | undefined;
  readonly path: string;
}

export function ownPath(path: string): OwnPath {
  const [, key, rest = path] = /^\/~([\w-]+)(\/.*)$/.exec(path) ?? [];
  return { key, ...withoutRun(rest) };
}

/**
 * `path` in a form that is safe to log. A path may contain a key, and a client can spell it in other ways than we do
 * (`/%7EKEY`, `//~KEY`, `/@RUN/~KEY`) or put the key elsewhere. So every path that contains a tilde (Codex uses no such
 * path) or something like a key is replaced.
 */
export const pathForLog = remembered(MOST_REMEMBERED, (path) => {
  let plain = path;
  for (let round = 0; round < MOST_DECODED && plain.includes("%"); round++)
    plain = plain.replace(/%([0-7][0-9a-f])/gi, (_all, code: string) =>
      String.fromCharCode(Number.parseInt(code, 16)),
    );
  return /~|%(?:25|7)/.test(plain) || LIKE_KEY.test(plain) ? WITH_KEY : path;
});

/** True for the paths that have a lock of their own (admin/lock.ts), whatever proxy.client_auth says. */
export function hasOwnLock(path: string): boolean {
  return path.startsWith("/admin/") || path === "/logs" || path === METRICS_PATH;
}

/** The path that a monitoring program reads. */
export const METRICS_PATH = "/metrics";

/** True for the paths of the dashboard, which carry no key and no run. */
export function isDashboardPath({ key, run, path }: OwnPath): boolean {
  return key === undefined && run === undefined && path.startsWith(DASHBOARD_PATH);
}

// --- internal ---

/** The refusal of a monitoring program that asks for anything but the metrics. */
function metricsOnly(): CodexlbError {
  return new CodexlbError("key_role_refused", "this key has the role metrics, which can only read /metrics", {
    next: `to send requests, create another key with: ${advisedElsewhere("key add", "NAME")}`,
  });
}

/** The refusal of a client without a key, or with a wrong one (`isShown`). `isStatus`: it wants account status. */
function noAccess(isShown: boolean, isStatus: boolean): CodexlbError {
  const message = isShown ? "this proxy does not know the key in this request" : "this proxy requires a key";
  if (isStatus)
    return new CodexlbError("unauthorized", message, { next: `to read account status, ${readNext()}` });
  return new CodexlbError("unauthorized", message, {
    next: isShown
      ? `compare it with the key that was created (it may have been removed, or belong to another proxy), or create a new one on the proxy's machine with: ${advisedElsewhere("key add", "NAME")}`
      : `run Codex with codexlb run and CODEXLB_CLIENT_KEY, or send the key as Authorization: Bearer KEY; create a key with: ${advisedElsewhere("key add", "NAME")}`,
  });
}

function readNext(): string {
  return `use the admin token (CODEXLB_ADMIN_TOKEN), or a key with the parent role, created on the proxy's machine with: ${advisedElsewhere("key add", "--role", "parent", "NAME")}`;
}

/** Logged in place of a path that may contain a key. */
const WITH_KEY = "/~";
/** The beginnings of a key (auth/keys.ts), and of a key for paths (auth/stub.ts). */
const LIKE_KEY = /clb_|path-[\w-]+-\d+-/;
/** Layers of percent-encoding that are decoded; more than this is not a mistake. */
const MOST_DECODED = 4;
/** Longest part of a client's header in a message. */
const SHOWN_CHARS = 100;
/** `none`: a typed address or a bookmark. Not `same-site`: that can be another program's port on this machine. */
const OWN_SITES: ReadonlySet<string> = new Set(["none", "same-origin"]);
/** The health checks, and the renewal of stubs, which are credentials themselves. */
const OPEN_PATHS: ReadonlySet<string> = new Set(["/", "/healthz", "/readyz", "/oauth/token"]);
/** The paths that report account status. */
const PARENT_PATHS: ReadonlySet<string> = new Set(["/status", "/health/auth-runtime"]);

/** Unknown names make the proxy read this machine's addresses at most this often. */
const READ_AGAIN_MS = 1_000;

function namesOf(listen: ListenAddress): ReadonlySet<string> {
  return new Set(hostNames(listen).map(normalise));
}

/** The names that reach a socket bound to `listen`. */
function hostNames({ host }: ListenAddress): string[] {
  if (isLoopback(host)) return [host, "localhost", "::1"];
  if (!isWildcard(host)) return [host];
  const addresses = Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).map((entry) => entry.address),
  );
  return [...addresses, hostname(), "localhost", "::1"];
}

/**
 * The header that shows that a web page of another origin caused the request; Codex sends none of these headers. To
 * loopback, Chromium 147 sends Sec-Fetch-Site with every request except WebSocket handshakes, which have an Origin.
 * Over plain HTTP to other machines it sends a Referer instead, unless the page suppresses that. The dashboard's requests
 * may have its own Origin.
 */
function pageMark(headers: Headers, host: string, isDashboard: boolean): string | undefined {
  const origin = headers.get("origin");
  if (origin !== null && !(isDashboard && isOwnOrigin(origin, host))) return "Origin";
  const site = headers.get("sec-fetch-site");
  if (site !== null && !OWN_SITES.has(site)) return "Sec-Fetch-Site";
  const referer = headers.get("referer");
  // Compared with the port, because another port is another program.
  if (referer === null || URL.parse(referer)?.host === new URL(`http://${host}`).host) return undefined;
  return "Referer";
}

/** True if `origin` is the address in the Host header. `https`: a program in front of the proxy terminates TLS. */
function isOwnOrigin(origin: string, host: string): boolean {
  return ["http", "https"].some((scheme) => origin === `${scheme}://${host}`.toLowerCase());
}

/** The normalised name or address in a Host header; undefined if the header is not valid. */
const nameOf = remembered(MOST_REMEMBERED, (header) => {
  const [, address, name] = /^(?:\[([\da-f:.]+)\]|([\w.-]+))(?::\d*)?$/i.exec(header) ?? [];
  const host = address ?? name;
  // The URL parser also rejects ports and addresses that cannot exist.
  return host !== undefined && URL.canParse(`http://${header}`) ? normalise(host) : undefined;
});

function quoted(header: string): string {
  return JSON.stringify(header.slice(0, SHOWN_CHARS));
}

/** Lower case, without a trailing dot, and with an IPv4 address instead of an IPv6 form of it. */
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

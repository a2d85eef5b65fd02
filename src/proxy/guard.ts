// Who may speak to us at all: every request's Host must name an address we listen on, no request may come from a
// web page (that closes the door to cross-site requests and DNS rebinding), and where clients must show who they
// are, they must have done so. The admin paths have a lock of their own (admin/app.ts).

import { hostname, networkInterfaces } from "node:os";
import type { Access } from "../auth/access.ts";
import { isLoopback, isWildcard, type ListenAddress } from "../core/listen.ts";
import { type RunTag, withoutRun } from "../core/run-tag.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";

export interface GuardSettings {
  /** Further names of this proxy. */
  readonly allowedHosts: readonly string[];
  /** Clients must show a key or a stub. */
  readonly clientAuth: boolean;
}

/** Returns the refusal of a request, undefined when it may pass. */
export type Guard = (request: Request) => CodexlbError | undefined;

export function createGuard(
  listen: ListenAddress,
  settings: () => GuardSettings,
  access: Access,
  { clock }: Pick<Deps, "clock">,
): Guard {
  let listening = namesOf(listen);
  let lookedMs = clock.now();
  const isKnown = (name: string) =>
    listening.has(name) ||
    (listening.has("localhost") && isLoopback(name)) ||
    settings().allowedHosts.some((allowed) => normalise(allowed) === name);
  const own = (name: string): boolean => {
    if (isKnown(name)) return true;
    if (!isWildcard(listen.host) || clock.now() - lookedMs < LOOK_AGAIN_MS) return false;
    // A network may have come up since.
    listening = namesOf(listen);
    lookedMs = clock.now();
    return isKnown(name);
  };
  return (request) => {
    const host = request.headers.get("host");
    if (host === null || !own(normalise(hostOf(host))))
      return new CodexlbError(
        "host_refused",
        `this proxy does not go by the name ${JSON.stringify((host ?? "").slice(0, SHOWN_CHARS))}`,
        {
          next: "add the name to proxy.allowed_hosts in config.toml if it is meant to",
        },
      );
    if (request.headers.get("origin") !== null)
      return new CodexlbError("origin_refused", "requests of web pages are refused", {
        next: "send no Origin header",
      });
    if (!settings().clientAuth) return undefined;
    const { key, path } = ownPath(new URL(request.url).pathname);
    if (OPEN_PATHS.has(path) || hasOwnLock(path)) return undefined;
    const role = access.roleOf(request.headers, key);
    if (role !== undefined && (role !== "client" || !PARENT_PATHS.has(path))) return undefined;
    if (role === "client")
      return new CodexlbError("unauthorized", "this key may send requests, and not read of the accounts", {
        next: READ_NEXT,
      });
    return new CodexlbError("unauthorized", "this proxy serves only clients that show a key", {
      next: PARENT_PATHS.has(path)
        ? `to read of its accounts, ${READ_NEXT}`
        : "run Codex with codexlb run and CODEXLB_CLIENT_KEY, or send the key as Authorization: Bearer KEY; keys are made with codexlb key add NAME",
    });
  };
}

/** What a path may begin with, `/~KEY/@RUN/...`, and the path without. */
export interface OwnPath {
  readonly key: string | undefined;
  readonly run: RunTag | undefined;
  readonly path: string;
}

export function ownPath(path: string): OwnPath {
  const [, key, rest = path] = /^\/~([\w-]+)(\/.*)$/.exec(path) ?? [];
  return { key, ...withoutRun(rest) };
}

/** True for the paths that only the admin token opens. */
export function hasOwnLock(path: string): boolean {
  return path.startsWith("/admin/") || path === "/logs";
}

// --- internal ---

const READ_NEXT =
  "use the admin token (CODEXLB_ADMIN_TOKEN), or a key of the role parent: codexlb key add --role parent NAME";
/** Longest part of a stranger's header in a message. */
const SHOWN_CHARS = 100;
/** That the proxy lives, and new stubs for stubs, which are credentials themselves. */
const OPEN_PATHS: ReadonlySet<string> = new Set(["/", "/healthz", "/oauth/token"]);
/** What tells of the accounts. */
const PARENT_PATHS: ReadonlySet<string> = new Set(["/status", "/health/auth-runtime"]);

/** Addresses of this machine are looked up for strangers this often at the most. */
const LOOK_AGAIN_MS = 1_000;

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

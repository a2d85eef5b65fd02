// Where the proxy of a command is. A command asks once, and passes the answer on to everything that needs it.

import { type Daemon, daemonAt, type RunningDaemon } from "../../admin/daemon.ts";
import type { Door } from "../../admin/door.ts";
import { parseProxyUrl } from "../../codex/addresses.ts";
import { CodexlbError } from "../../errors.ts";
import type { RemoteFlags } from "../common-flags.ts";
import { configOf } from "../config/root-config.ts";
import type { CommandContext } from "../context.ts";
import { credentialFor, tokenFor } from "./proxy-credential.ts";

/** A proxy that the user or the settings name, and where they do. */
export interface NamedProxy {
  /** As `parseProxyUrl` completes it. */
  readonly url: string;
  readonly by: "--proxy-url" | "CODEXLB_PROXY_URL" | "proxy.proxy_url";
}

/**
 * Where the proxy of a command is, and what answered on the socket of the root.
 * `named`: the user or the settings name the proxy.
 * `daemon`: no proxy is named, and one runs on the root.
 * `files`: no proxy is named, and none answers on the root, so a command that can works on the root's files. A proxy may
 * still listen at the address in the settings; `listening` leads there, and throws `usage` if it is not an address.
 */
export type Location =
  | { readonly kind: "named"; readonly door: Door; readonly named: NamedProxy; readonly daemon: Daemon }
  | { readonly kind: "daemon"; readonly door: Door; readonly daemon: RunningDaemon }
  | { readonly kind: "files"; readonly listening: () => Door; readonly daemon: Daemon };

export interface LocateOptions {
  /** The daemon of the root, if the command has asked it already. */
  readonly daemon?: Daemon;
  /** For a named proxy, the key in `CODEXLB_CLIENT_KEY` is enough. Default: false. */
  readonly clientKey?: boolean;
}

/**
 * Finds the proxy of a command: the one that `--proxy-url`, `CODEXLB_PROXY_URL` or `proxy.proxy_url` names, in this
 * order, otherwise the one that runs on the root. A named proxy that turns out to be the root's own is reached over its
 * socket, unless the user gave an admin token. Throws `usage` for an invalid URL, and `invalid_config`.
 */
export async function locate(
  context: CommandContext,
  flags: RemoteFlags,
  options: LocateOptions = {},
): Promise<Location> {
  const { layout, deps } = context;
  const token = flags["admin-token"];
  const proxyName = flags["proxy-name"]?.trim() || undefined;
  const named = await namedProxy(context, flags["proxy-url"]);
  const daemon = options.daemon ?? (await daemonAt(layout.adminSocket));
  if (named !== undefined) {
    const isOwn = tokenFor(context, token) === undefined && listensAt(daemon, named.url);
    if (isOwn && daemon.kind === "answers")
      return { kind: "named", door: { ...daemon.door, proxyName }, named, daemon };
    const key = options.clientKey ? deps.env.CODEXLB_CLIENT_KEY?.trim() : undefined;
    const credential = credentialFor(context, { url: named.url, isNamed: true }, token?.trim() || key);
    return { kind: "named", door: { url: named.url, credential, proxyName }, named, daemon };
  }
  if (daemon.kind === "answers") return { kind: "daemon", door: { ...daemon.door, proxyName }, daemon };
  const { listen } = (await configOf(context)).proxy;
  const listening = (): Door => {
    const url = parseProxyUrl(`http://${listen}`).href;
    return { url, credential: credentialFor(context, { url, isNamed: false }, token), proxyName };
  };
  return { kind: "files", listening, daemon };
}

/**
 * The way to the proxy, for a command that cannot do without one. Throws `proxy_unreachable` if the proxy of the root is
 * there but does not answer, and `shutting_down` if it is shutting down.
 */
export function doorOf(context: CommandContext, location: Location): Door {
  requireServing(context, location);
  return location.kind === "files" ? location.listening() : location.door;
}

/** The address of the proxy for Codex, without a slash at the end. Throws what `doorOf` throws. */
export function servingUrl(context: CommandContext, location: Location): string {
  requireServing(context, location);
  return urlOf(location);
}

/**
 * The address where the proxy listens, or would listen if it ran, without a slash at the end. Throws `usage` if it is
 * not an address, and `proxy_answer` if this version cannot read what the root's proxy says of itself.
 */
export function urlOf(location: Location): string {
  return withoutSlash(
    location.kind === "named"
      ? location.named.url
      : location.kind === "daemon"
        ? parseProxyUrl(location.daemon.info().url).href
        : location.listening().url,
  );
}

/** True if the proxy of the root listens at `url`. Its socket can be trusted, because only the user can open it. */
export function listensAt(daemon: Daemon, url: string): boolean {
  if (daemon.kind !== "answers") return false;
  try {
    return new URL(daemon.info().url).origin === new URL(url).origin;
  } catch {
    return false; // it does not say where it listens
  }
}

// --- internal ---

async function namedProxy(
  context: CommandContext,
  flag: string | undefined,
): Promise<NamedProxy | undefined> {
  const named = (by: NamedProxy["by"], url: string): NamedProxy => ({ url: parseProxyUrl(url).href, by });
  const given = flag?.trim();
  if (given) return named("--proxy-url", given);
  const variable = context.deps.env.CODEXLB_PROXY_URL?.trim();
  if (variable) return named("CODEXLB_PROXY_URL", variable);
  const { proxy_url } = (await configOf(context)).proxy;
  return proxy_url === "" ? undefined : named("proxy.proxy_url", proxy_url);
}

/** Nothing is known about a named proxy yet. The proxy of the root must take requests. */
function requireServing({ layout }: CommandContext, { kind, daemon }: Location): void {
  if (kind === "named") return;
  if (daemon.kind === "silent")
    throw new CodexlbError("proxy_unreachable", `the proxy on ${layout.root} is there, and does not answer`, {
      next: "see what it does; or end it, and start codexlb proxy again",
    });
  if (daemon.kind === "answers" && daemon.info().draining)
    throw new CodexlbError("shutting_down", `the proxy on ${layout.root} is shutting down`, {
      next: "start a new one, which waits for it to exit, with codexlb proxy or codexlb run --auto-start",
    });
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}

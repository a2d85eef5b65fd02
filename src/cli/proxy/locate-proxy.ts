// Finds the proxy of a command. A command asks once, and passes the result on to all code that needs it.

import { type Daemon, daemonAt, type RunningDaemon } from "../../admin/daemon.ts";
import type { Door } from "../../admin/door.ts";
import { advised } from "../../advice.ts";
import { parseProxyUrl } from "../../codex/addresses.ts";
import { withoutTrailingSlash } from "../../core/urls.ts";
import { CodexlbError } from "../../errors.ts";
import type { RemoteFlags } from "../common-flags.ts";
import { configOf } from "../config/root-config.ts";
import { type CommandContext, warnOfMissingRoot } from "../context.ts";
import { credentialFor, tokenFor } from "./proxy-credential.ts";

/** A proxy that the user or the settings name, and the place that names it. */
export interface NamedProxy {
  /** As `parseProxyUrl` completes it. */
  readonly url: string;
  readonly by: "--proxy-url" | "CODEXLB_PROXY_URL" | "proxy.proxy_url";
}

/**
 * The place of the proxy, and the answer on the socket of the root.
 * `named`: the user or the settings name the proxy.
 * `daemon`: no proxy is named, and one is running on the root.
 * `files`: no proxy is named, and none answers on the root, so commands that can do so use the root's files. A proxy
 * may still listen at the address in the settings. `listening` is the way to it; it throws `usage` for an invalid
 * address.
 */
export type Location =
  | { readonly kind: "named"; readonly door: Door; readonly named: NamedProxy; readonly daemon: Daemon }
  | { readonly kind: "daemon"; readonly door: Door; readonly daemon: RunningDaemon }
  | { readonly kind: "files"; readonly listening: () => Door; readonly daemon: Daemon };

/** Options of `locate`. */
export interface LocateOptions {
  /** The daemon of the root, if the command has asked it already. */
  readonly daemon?: Daemon;
  /** True if the key in `CODEXLB_CLIENT_KEY` is enough for a named proxy. Default: false. */
  readonly clientKey?: boolean;
}

/**
 * Finds the proxy of a command: the one that `--proxy-url`, `CODEXLB_PROXY_URL` or `proxy.proxy_url` names, in this
 * order, otherwise the one that runs on the root. A named proxy that turns out to be the root's own is reached over its
 * socket, unless the user gave an admin token. Warns of a missing root whose files would be used. Throws `usage` for an invalid URL, and `invalid_config`.
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
  warnOfMissingRoot(context);
  const { listen } = (await configOf(context)).proxy;
  const listening = (): Door => {
    const url = parseProxyUrl(`http://${listen}`).href;
    return { url, credential: credentialFor(context, { url, isNamed: false }, token), proxyName };
  };
  return { kind: "files", listening, daemon };
}

/**
 * The way to the proxy, for a command that needs one. Throws `proxy_unreachable` if the proxy of the root is running
 * but does not answer, and `shutting_down` if it is shutting down.
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
 * The address where the proxy listens, or would listen if it were running, without a slash at the end. Throws `usage`
 * for an invalid address, and `proxy_answer` if this version cannot read the answer of the root's proxy.
 */
export function urlOf(location: Location): string {
  return withoutTrailingSlash(
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
    return false; // the answer has no address
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

/** Throws if the proxy of the root does not accept requests. A named proxy is not checked here. */
function requireServing({ layout }: CommandContext, { kind, daemon }: Location): void {
  if (kind === "named") return;
  if (daemon.kind === "silent")
    throw new CodexlbError(
      "proxy_unreachable",
      `the proxy on ${layout.root} is running but does not answer`,
      {
        next: `check that process, or stop it and start ${advised("proxy")} again`,
      },
    );
  if (daemon.kind === "answers" && daemon.info().draining)
    throw new CodexlbError("shutting_down", `the proxy on ${layout.root} is shutting down`, {
      next: `start a new one, which waits until the old one exits: ${advised("proxy")}, or ${advised("run", "--auto-start")}`,
    });
}

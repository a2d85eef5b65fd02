// What every command starts from: the root it works on, and where the proxy is that it talks to.

import { existsSync, statSync } from "node:fs";
import { remoteInfo, remoteSettings } from "../admin/client.ts";
import { type Door, daemonAnswers, daemonBehind, socketDoor } from "../admin/door.ts";
import { type Credential, createCredential } from "../admin/proving.ts";
import { newSecret, readSecret } from "../auth/secrets.ts";
import { parseProxyUrl } from "../codex/addresses.ts";
import { isLoopback } from "../core/listen.ts";
import type { Deps } from "../deps.ts";
import { systemDeps } from "../deps.ts";
import { CodexlbError, messageOf, systemCodeOf } from "../errors.ts";
import { configFrom, readConfig } from "../state/config-source.ts";
import { type Layout, layoutOf, namedRoot, rootFrom } from "../state/layout.ts";
import type { Config } from "../state/settings.ts";

export interface CommandContext {
  readonly deps: Deps;
  readonly layout: Layout;
  /** The user named the root, by flag or variable. */
  readonly rootNamed: boolean;
}

/** The flag that every command has. */
export const ROOT_FLAG = {
  root: {
    type: "string",
    description: "State directory (CODEXLB_ROOT; default ~/.codex-lb)",
    valueHint: "DIR",
  },
} as const;

export const PROXY_URL_FLAG = {
  "proxy-url": {
    type: "string",
    description:
      "Where the proxy is (CODEXLB_PROXY_URL; default proxy.proxy_url, else http://<proxy.listen>)",
    valueHint: "URL",
  },
} as const;

export const ADMIN_TOKEN_FLAG = {
  "admin-token": {
    type: "string",
    description: "Its admin token (CODEXLB_ADMIN_TOKEN; on this machine ROOT/admin.token)",
    valueHint: "TOKEN",
  },
} as const;

export const CODEX_BIN_FLAG = {
  "codex-bin": {
    type: "string",
    description: "Codex executable on this machine (CODEXLB_CODEX_BIN; default codex)",
    valueHint: "PATH",
  },
} as const;

/** The flags of commands that a proxy elsewhere can carry out. */
export const REMOTE_FLAGS = {
  "proxy-url": {
    type: "string",
    description: "Have it done by the proxy there (CODEXLB_PROXY_URL; default proxy.proxy_url)",
    valueHint: "URL",
  },
  "proxy-name": {
    type: "string",
    description: "Which proxy of a chain shall do it",
    valueHint: "NAME",
  },
  ...ADMIN_TOKEN_FLAG,
} as const;

export interface RemoteFlags {
  readonly "proxy-url"?: string | undefined;
  readonly "proxy-name"?: string | undefined;
  readonly "admin-token"?: string | undefined;
}

/** The flags of a command that say which proxy to ask. */
export interface ProxyFlags {
  readonly "proxy-url"?: string | undefined;
  readonly "admin-token"?: string | undefined;
}

/** Where a command is carried out. */
export type Place =
  /** By the daemon of the root if one runs, else on the files. */
  | { readonly kind: "here" }
  /** By a proxy elsewhere. With `fallback` it is done here when nobody answers there. */
  | { readonly kind: "remote"; readonly door: Door; readonly fallback: boolean };

/** A proxy that nobody named is not waited for any longer. */
const UNNAMED_TIMEOUT_MS = 2_000;

/** Throws `file_unusable` for a root that is no directory. */
export function contextOf(root: string | undefined): CommandContext {
  const deps = systemDeps();
  const layout = layoutOf(rootFrom(root, deps.env));
  if (!mayBeDirectory(layout.root))
    throw new CodexlbError("file_unusable", `the root ${layout.root} is not a directory`, {
      next: "choose another --root",
    });
  return { deps, layout, rootNamed: namedRoot(root, deps.env) !== undefined };
}

/** False when something else is there, or on the way there. What cannot be looked at is told by whoever needs it. */
function mayBeDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() !== false;
  } catch (error) {
    return systemCodeOf(error) !== "ENOTDIR";
  }
}

/** False for a root that nothing was enrolled in yet: what looks for something there need not make it. */
export function isThere({ layout }: CommandContext): boolean {
  return existsSync(layout.root);
}

/** The proxy that flag or environment name. */
export function namedUrl(flag: string | undefined, env: Deps["env"]): string | undefined {
  return flag?.trim() || env.CODEXLB_PROXY_URL?.trim() || undefined;
}

/** A proxy that the user names, and where. */
export interface NamedProxy {
  readonly url: string;
  readonly by: "--proxy-url" | "CODEXLB_PROXY_URL" | "proxy.proxy_url";
}

/** The proxy that is named for a command, in this order; `flag` is `--proxy-url`. Throws `invalid_config`. */
export async function namedProxy(
  context: CommandContext,
  flag: string | undefined,
): Promise<NamedProxy | undefined> {
  const url = namedUrl(flag, context.deps.env);
  if (url !== undefined) return { url, by: flag?.trim() ? "--proxy-url" : "CODEXLB_PROXY_URL" };
  const { proxy_url } = (await configOf(context)).proxy;
  return proxy_url === "" ? undefined : { url: proxy_url, by: "proxy.proxy_url" };
}

/** The settings of the root. While its file is broken, those that its running proxy goes on with. Throws `invalid_config`. */
export async function configOf(context: CommandContext): Promise<Config> {
  const known = read.get(context) ?? readSettings(context);
  read.set(context, known);
  return known;
}

/** Each command reads them once, and warns once. */
const read = new WeakMap<CommandContext, Promise<Config>>();

async function readSettings({ deps, layout }: CommandContext): Promise<Config> {
  try {
    return readConfig(layout);
  } catch (error) {
    if (!(await daemonAnswers(layout.adminSocket))) throw error;
    deps.log.warn(`${messageOf(error)}; the settings of the running proxy are used`);
    return configFrom(await remoteSettings(socketDoor(layout.adminSocket)));
  }
}

/**
 * The proxy that a command talks to: as named, else `proxy.proxy_url`, else the one that runs on the root, else where
 * the settings say that it listens. Throws `invalid_config`, and `shutting_down` for one that is shutting down.
 */
export async function proxyUrlOf(context: CommandContext, flag: string | undefined): Promise<string> {
  const { layout } = context;
  const named = await namedProxy(context, flag);
  if (named !== undefined) return named.url;
  if (!(await runsHere(context))) return `http://${(await configOf(context)).proxy.listen}`;
  const { url, draining } = await remoteInfo(socketDoor(layout.adminSocket));
  if (!draining) return url;
  throw new CodexlbError("shutting_down", `the proxy on ${layout.root} is shutting down`, {
    next: "start a new one, which waits for it to exit, with codexlb proxy or codexlb run --auto-start",
  });
}

/** Whether a proxy runs on the root. Throws `proxy_unreachable` for one that is there and does not answer. */
export async function runsHere({ layout }: CommandContext): Promise<boolean> {
  const daemon = await daemonBehind(layout.adminSocket);
  if (daemon !== "silent") return daemon === "answers";
  throw new CodexlbError("proxy_unreachable", `the proxy on ${layout.root} is there, and does not answer`, {
    next: "see what it does; or end it, and start codexlb proxy again",
  });
}

/**
 * Where an account command is carried out: by the proxy that flags or environment name; by `proxy.proxy_url`, or
 * the address in the settings when the user named no root and a token for it is at hand, if somebody answers there;
 * else here. Throws `usage`, `invalid_config`.
 */
export async function placeOf(context: CommandContext, flags: RemoteFlags): Promise<Place> {
  const { layout, rootNamed } = context;
  const proxyName = flags["proxy-name"]?.trim() || undefined;
  const remote = ({ url, isNamed }: Address, fallback: boolean): Place => ({
    kind: "remote",
    fallback,
    door: {
      url: parseProxyUrl(url).href,
      credential: credentialFor(context, { url, isNamed }, flags["admin-token"]),
      proxyName,
      timeoutMs: fallback ? UNNAMED_TIMEOUT_MS : undefined,
    },
  });
  const named = await namedProxy(context, flags["proxy-url"]);
  if (named !== undefined)
    return remote(
      { url: named.url, isNamed: true },
      named.by === "proxy.proxy_url" && proxyName === undefined,
    );
  const { proxy } = await configOf(context);
  const listening = { url: `http://${proxy.listen}`, isNamed: false };
  const answers = await daemonAnswers(layout.adminSocket);
  if (proxyName !== undefined)
    return answers
      ? { kind: "remote", fallback: false, door: socketDoor(layout.adminSocket, proxyName) }
      : remote(listening, false);
  const token = tokenFor(context, flags["admin-token"]) ?? readSecret(layout.adminToken);
  if (answers || rootNamed || token === undefined) return { kind: "here" };
  return remote(listening, true);
}

/**
 * How a command reaches its proxy: over the socket if it is the one that runs on the root, otherwise at the address of
 * `proxyUrlOf`, with a credential. `clientKey`: CODEXLB_CLIENT_KEY is accepted, too. Throws what `proxyUrlOf` throws.
 */
export async function doorOf(
  context: CommandContext,
  flags: ProxyFlags,
  { timeoutMs, clientKey = false }: { readonly timeoutMs: number | undefined; readonly clientKey?: boolean },
): Promise<Door> {
  const { layout } = context;
  const isNamed = (await namedProxy(context, flags["proxy-url"])) !== undefined;
  const socket: Door = { ...socketDoor(layout.adminSocket), timeoutMs };
  const url = parseProxyUrl(await proxyUrlOf(context, flags["proxy-url"])).href;
  if (!isNamed && (await runsHere(context))) return socket;
  if (tokenFor(context, flags["admin-token"]) === undefined && (await isOwn(context, url))) return socket;
  const key = clientKey && isNamed ? context.deps.env.CODEXLB_CLIENT_KEY?.trim() : undefined;
  return {
    url,
    credential: credentialFor(context, { url, isNamed }, flags["admin-token"] || key),
    timeoutMs,
  };
}

/** Whether the proxy of this root listens at `url`. Its socket can be trusted, because only the user can open it. */
export async function isOwn({ layout }: CommandContext, url: string): Promise<boolean> {
  if (!(await daemonAnswers(layout.adminSocket))) return false;
  const info = await remoteInfo(socketDoor(layout.adminSocket)).catch(() => undefined);
  return info !== undefined && new URL(info.url).origin === new URL(url).origin;
}

/** The admin token that the user gave. */
export function tokenFor({ deps }: CommandContext, flag: string | undefined): string | undefined {
  return flag?.trim() || deps.env.CODEXLB_ADMIN_TOKEN?.trim() || undefined;
}

/**
 * The credential for the proxy at `url`: the token that the user gave, otherwise the root's own if the proxy can be
 * this root's. Unless the user named the proxy (`isNamed`), it is not trusted before it has proved that it is this
 * root's.
 */
export function credentialFor(
  context: CommandContext,
  address: Address,
  flag: string | undefined,
): Credential | undefined {
  const given = tokenFor(context, flag);
  if (given === undefined) return rootCredential(context, address);
  return createCredential({ ...context.deps, secret: given, origin: address.isNamed ? "given" : "own" });
}

/** The root's own token, for a proxy that can be this root's. */
export function rootCredential(
  { deps, layout }: CommandContext,
  { url, isNamed }: Address,
): Credential | undefined {
  const own = readSecret(layout.adminToken);
  // Without a token in the root no proxy can prove that it is this root's; a random secret makes that fail.
  if (!isNamed) return createCredential({ ...deps, secret: own ?? newSecret(deps.random), origin: "own" });
  const isHere = isLoopback(parseProxyUrl(url).hostname.replace(/^\[|\]$/g, ""));
  return isHere && own !== undefined
    ? createCredential({ ...deps, secret: own, origin: "spare" })
    : undefined;
}

export interface Address {
  readonly url: string;
  /** The user named this address. */
  readonly isNamed: boolean;
}

// Which flags the commands that messages advise take over from a command line, and from a running proxy.

import type { AdvisedFlags } from "../advice.ts";
import { isLoopback } from "../core/listen.ts";
import { rootFrom } from "../state/layout.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The flags for the advice of a command: its root unless it is the default one, its proxy, and where a proxy on this
 * machine must listen to be found there. `values` are the command's flags by name.
 */
export function flagsOfCommand(values: Readonly<Record<string, unknown>>, env: Environment): AdvisedFlags {
  const given = (name: string) => String(values[name] ?? "").trim();
  const root = rootFrom(given("root"), env);
  const proxyUrl = given("proxy-url");
  const proxyName = given("proxy-name");
  const listen = loopbackListen(proxyUrl || (env.CODEXLB_PROXY_URL?.trim() ?? ""));
  return {
    ...(root === rootFrom(undefined, env) ? {} : { root }),
    ...(proxyUrl === "" ? {} : { "proxy-url": proxyUrl }),
    ...(proxyName === "" ? {} : { "proxy-name": proxyName }),
    ...(listen === undefined ? {} : { listen }),
  };
}

/**
 * The flags for the advice of a proxy on `root`. Its clients read the advice, and their environment may name another
 * root, so only the default root of the user needs no flag.
 */
export function flagsOfProxy(root: string, env: Environment): AdvisedFlags {
  return root === rootFrom(undefined, { ...env, CODEXLB_ROOT: undefined }) ? {} : { root };
}

// --- internal ---

/** Where a proxy must listen to be found at `url`; undefined if that is not an address of this machine. */
function loopbackListen(url: string): string | undefined {
  const parsed = URL.parse(url.includes("://") ? url : `http://${url}`);
  if (parsed === null || parsed.protocol !== "http:" || !isLoopback(parsed.hostname)) return undefined;
  return `${parsed.hostname}:${parsed.port || "80"}`;
}

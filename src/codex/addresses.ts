// The addresses that point Codex at a proxy. Codex takes two base URLs. From 0.156 on it bypasses the proxy if both
// have the same origin, so one address is written in two ways.

import { withoutTrailingSlash } from "../core/urls.ts";
import { CodexlbError } from "../errors.ts";

export interface CodexAddresses {
  /** `openai_base_url`: turns, models, images. */
  readonly openai: string;
  /** `chatgpt_base_url`: usage, accounts, settings, plug-ins. */
  readonly chatgpt: string;
  /** `CODEX_REFRESH_TOKEN_URL_OVERRIDE`. */
  readonly token: string;
}

/**
 * The addresses for the proxy at `proxyUrl` (scheme, host, port, perhaps a path). With `pathKey` the requests that
 * Codex sends without credentials carry it in their path; `run` is the prefix of a run's requests. Throws `usage` for a
 * URL that has no second spelling.
 */
export function codexAddresses(
  proxyUrl: string,
  { pathKey, run = "" }: { readonly pathKey?: string | undefined; readonly run?: string } = {},
): CodexAddresses {
  const url = parseProxyUrl(proxyUrl);
  const base = withoutTrailingSlash(url.href);
  const twin = new URL(url.href);
  twin.hostname = otherSpelling(url.hostname);
  return {
    openai: `${base}${run}/backend-api/codex`,
    chatgpt: `${withoutTrailingSlash(twin.href)}${pathKey === undefined ? "" : `/~${pathKey}`}${run}/backend-api/`,
    token: `${base}/oauth/token`,
  };
}

/** Parses a proxy URL from the user. `http://:8765` and `http://0.0.0.0:8765` mean this machine. Throws `usage`. */
export function parseProxyUrl(text: string): URL {
  const completed = text.trim().replace(/^(https?:\/\/)(?=:\d)/, "$1127.0.0.1");
  if (!/^https?:\/\//.test(completed) || !URL.canParse(completed))
    throw new CodexlbError("usage", `${JSON.stringify(text)} is not a proxy URL`, {
      next: `write it as ${withScheme(text.trim()) ?? "http://127.0.0.1:8765"}`,
    });
  const url = new URL(completed);
  if (url.hostname === "0.0.0.0" || url.hostname === "[::]") url.hostname = "127.0.0.1";
  return url;
}

// --- internal ---

/** `text` with the missing scheme, if it is a host with an optional port and path; otherwise undefined. */
function withScheme(text: string): string | undefined {
  const url = `http://${text}`;
  return HOST_AND_PATH.test(text) && URL.canParse(url) ? url : undefined;
}

const HOST_AND_PATH = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?(?:\/\S*)?$/i;

/** Another way to write the same host, which makes another origin. */
function otherSpelling(host: string): string {
  if (host === "127.0.0.1") return "localhost";
  if (host === "localhost") return "127.0.0.1";
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return `[::ffff:${host}]`;
  if (host.startsWith("["))
    throw new CodexlbError(
      "usage",
      `Codex cannot use a proxy at the IPv6 address ${host}, because Codex needs two host names for it`,
      {
        next: "use the proxy's host name or an IPv4 address",
      },
    );
  return host.endsWith(".") ? host.slice(0, -1) : `${host}.`;
}

// Checks clients that start without `codexlb run`: whether the user's config.toml points them at the proxy, and whether
// that proxy answers them.

import { join } from "node:path";
import { baseOf, through } from "../../admin/door.ts";
import { advised } from "../../advice.ts";
import { codexAddresses } from "../../codex/addresses.ts";
import { BASE_URL_KEYS, type BaseUrls, baseUrlsIn, baseUrlsOf } from "../../codex/base-urls.ts";
import { setupIn } from "../../codex/client-setup.ts";
import { userHomes } from "../../codex/home.ts";
import { isUnreachable } from "../../errors.ts";
import { readTextIfPresent } from "../../state/atomic-file.ts";
import type { CommandContext } from "../context.ts";
import { type Location, urlOf } from "../proxy/locate-proxy.ts";
import { type Finding, ok } from "./finding.ts";

/** `located` is where the proxy is; it is awaited only if clients are set up. Throws as it does. */
export async function examineClients(
  { deps }: CommandContext,
  located: Promise<Location>,
): Promise<Finding[]> {
  const [home = "."] = userHomes(deps.env);
  const path = join(home, "config.toml");
  const urls = urlsOf(path);
  const written = setupIn(home);
  if (!pointsAtProxy(urls) && written === undefined)
    return [
      ok(CHECK, "only codexlb run uses the proxy; codexlb setup adds the IDE extension and other clients"),
    ];
  const url = urlOf(await located);
  const wanted = baseUrlsOf(codexAddresses(url));
  const wrong = BASE_URL_KEYS.filter((key) => urls[key] !== wanted[key]);
  if (wrong.length > 0)
    return [
      {
        check: CHECK,
        status: "warning",
        detail: `${path} has ${wrong.map((key) => `${key} = ${JSON.stringify(urls[key] ?? "")}`).join(" and ")}, but the proxy is at ${url}`,
        remedy: `run: ${advised("setup")}; to undo it, run: ${advised("unsetup")}`,
      },
    ];
  return [await examineProxyOf(path, url)];
}

// --- internal ---

const CHECK = "other clients";
const ANSWER_MS = 3_000;

/** Unreadable settings count as none; `examineCodex` reports them. */
function urlsOf(path: string): Partial<BaseUrls> {
  try {
    return baseUrlsIn(readTextIfPresent(path) ?? "");
  } catch {
    return {};
  }
}

/** True if the URL looks like one from setup, even if written by hand. Other addresses are the user's choice. */
function pointsAtProxy({ openai_base_url: url }: Partial<BaseUrls>): boolean {
  return url !== undefined && /^http:\/\/(?:127\.0\.0\.1|localhost)\b.*\/backend-api\/codex$/.test(url);
}

/** Sends a client's first request, without a key, as the client does. */
async function examineProxyOf(path: string, url: string): Promise<Finding> {
  const door = { url, timeoutMs: ANSWER_MS };
  try {
    const response = await through(door)(`${baseOf(door)}/backend-api/wham/accounts/check`);
    await response.body?.cancel();
    if (response.status !== 401) return ok(CHECK, `${path} points them at ${url}; the proxy there answers`);
    return {
      check: CHECK,
      status: "bad",
      detail: `${path} points them at ${url}, but the proxy there requires a client key, which they do not send`,
      remedy: `run: ${advised("unsetup")}; then start Codex with: ${advised("run")}`,
    };
  } catch (error) {
    return {
      check: CHECK,
      status: "bad",
      detail: `${path} points them at ${url}, but ${isUnreachable(error) ? "no proxy is running there" : "the proxy there does not answer"}`,
      remedy: `start the proxy: ${advised("proxy start")}; or undo the setup: ${advised("unsetup")}`,
    };
  }
}

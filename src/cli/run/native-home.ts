// `run --native-home`: Codex in the user's own home, with the user's own login. Nothing is written there. The proxy
// replaces the credentials that Codex sends by those of an account.

import { join } from "node:path";
import { readCredentials } from "../../auth/homes.ts";
import { keyringOf, userHomes } from "../../codex/home.ts";
import { CodexlbError } from "../../errors.ts";
import { openLocalStore } from "../accounts/with-accounts.ts";
import { configOf } from "../config/root-config.ts";
import type { CommandContext } from "../context.ts";
import type { ProxyAddress } from "./proxy-address.ts";
import { noProxy } from "./require-proxy.ts";
import { requiresKey } from "./runtime-home.ts";

/**
 * The user's home, once it is clear that it can be used. Throws `unauthorized` if the proxy requires keys. Throws
 * `proxy_unreachable` if no proxy is running, because a program that listens there later would get the user's own
 * login. `withProxy`: as for `requireProxy`.
 */
export async function nativeHome(
  context: CommandContext,
  { url, whose }: ProxyAddress,
  withProxy: string,
): Promise<string> {
  const { deps } = context;
  const [home = "."] = userHomes(deps.env);
  if (whose === "absent") throw noProxy(context, withProxy);
  if (await requiresKey(context, url))
    throw new CodexlbError(
      "unauthorized",
      `the proxy at ${url} requires a client key, and the login in ${home} is not one`,
      { next: "leave --native-home out, and set CODEXLB_CLIENT_KEY" },
    );
  if (loginIn(home) === undefined) {
    deps.log.warn(
      keyringOf(home) === undefined
        ? `${home} has no readable login, so Codex will ask for one; without --native-home, Codex needs no login of your own`
        : `${home} keeps its login in the system keyring, so codexlb cannot check whether an account of the proxy uses the same login; if one does, the first token refresh invalidates the login of the other`,
    );
    return home;
  }
  await warnOfSharedLogin(context, home, "run without --native-home, or log in again for one of them");
  return home;
}

/** Warns if an account has the login in `home`: each token refresh invalidates the other copy. `next`: what to do. */
export async function warnOfSharedLogin(context: CommandContext, home: string, next: string): Promise<void> {
  const login = loginIn(home);
  if (login?.refreshToken === undefined) return;
  const { proxy } = await configOf(context);
  const { state } = openLocalStore(context, true, proxy.upstream_base_url);
  const duplicate = state.accounts.find(
    (account) => loginIn(account.homeDir)?.refreshToken === login.refreshToken,
  );
  if (duplicate !== undefined)
    context.deps.log.warn(
      `the login in ${join(home, "auth.json")} is also that of account ${duplicate.alias}, so the first token refresh by Codex or the proxy invalidates the login of the other; ${next}`,
    );
}

// --- internal ---

function loginIn(home: string): ReturnType<typeof readCredentials> | undefined {
  try {
    return readCredentials(home);
  } catch {
    return undefined;
  }
}

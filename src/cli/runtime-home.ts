// Puts the CODEX_HOME of `codexlb run` in order: stub credentials that the proxy knows, and the user's settings.

import { join } from "node:path";
import { baseOf, remoteStub, through, unreachable } from "../admin/client.ts";
import { readCredentials } from "../auth/homes.ts";
import { secretFile } from "../auth/secrets.ts";
import { makeStub, type StubAuth } from "../auth/stub.ts";
import { prepareHome, userHomes } from "../codex/home.ts";
import { DEFAULT_PLAN } from "../core/pooled.ts";
import { CodexlbError, messageOf } from "../errors.ts";
import type { AccountRecord } from "../state/store.ts";
import { openLocalStore } from "./accounts.ts";
import { type CommandContext, configOf, tokenFor } from "./context.ts";

/** Writes `codexHome`/auth.json and config.toml for the proxy at `proxyUrl`, which Codex also calls `chatgpt`. */
export async function prepareRuntime(
  context: CommandContext,
  codexHome: string,
  { proxyUrl, chatgpt }: { readonly proxyUrl: string; readonly chatgpt: string },
): Promise<StubAuth> {
  const { deps, layout } = context;
  const { proxy } = await configOf(context);
  const { state } = openLocalStore(context, true, proxy.upstream_base_url);
  // The account that served last knows the plan and the settings best; then the others in order.
  const accounts = [...state.accounts].sort(
    (a, b) => Number(b.id === state.activeId) - Number(a.id === state.activeId),
  );
  const usable = accounts.filter((account) => account.health.kind !== "disabled");
  const plan = usable.map((account) => planOf(account.homeDir)).find((found) => found !== undefined);
  const stub =
    (await stubOfProxy(context, proxyUrl, state.accounts.length > 0)) ??
    makeStub(plan ?? DEFAULT_PLAN, secretFile(layout.signingKey, deps.random), deps.clock.now());
  prepareHome({ codexHome, configSources: configSources(context, usable[0]), stub, chatgptBaseUrl: chatgpt });
  return stub;
}

/**
 * Asks the proxy what Codex will ask first. Codex takes a refusal for a login that is over, and tells people to log in
 * again: so it is not started. A proxy that does not answer is warned of. Throws `unauthorized`.
 */
export async function checkAdmission(
  { deps }: CommandContext,
  proxyUrl: string,
  stub: StubAuth,
): Promise<void> {
  const door = { url: proxyUrl, token: stub.tokens.access_token, timeoutMs: STUB_TIMEOUT_MS };
  let status: number;
  try {
    const response = await through(door)(`${baseOf(door)}/backend-api/wham/accounts/check`, {
      headers: { "chatgpt-account-id": stub.tokens.account_id },
    });
    await response.body?.cancel();
    status = response.status;
  } catch (error) {
    const { message, next } = unreachable(door, error);
    deps.log.warn(`${message}; ${next}`);
    return;
  }
  if (status !== 401) return;
  throw new CodexlbError("unauthorized", `the proxy at ${proxyUrl} serves only clients that show a key`, {
    next: "have one made on its machine with: codexlb key add NAME, and set CODEXLB_CLIENT_KEY to it",
  });
}

/** Homes whose config.toml may be taken over, best first. */
export function configSources(
  { deps, layout }: CommandContext,
  account: AccountRecord | undefined,
): string[] {
  return [...(account === undefined ? [] : [join(layout.accounts, account.alias)]), ...userHomes(deps.env)];
}

// --- internal ---

/** The proxy's wait for a stub is over after this: a proxy that wants none does not give any. */
const STUB_TIMEOUT_MS = 3_000;

/**
 * A stub that the proxy signed itself, which a proxy elsewhere may insist on: asked for with the client key, if there
 * is one, and in a root without accounts. A root with accounts signs its own, as its proxy does.
 */
async function stubOfProxy(
  context: CommandContext,
  proxyUrl: string,
  hasAccounts: boolean,
): Promise<StubAuth | undefined> {
  const { deps } = context;
  const key = deps.env.CODEXLB_CLIENT_KEY?.trim();
  const token = key || (hasAccounts ? undefined : tokenFor(context, proxyUrl, undefined));
  if (!token) return undefined;
  try {
    return await remoteStub({ url: proxyUrl, token, timeoutMs: STUB_TIMEOUT_MS });
  } catch (error) {
    if (key) deps.log.warn(`asking for credentials with CODEXLB_CLIENT_KEY: ${messageOf(error)}`);
    return undefined;
  }
}

function planOf(homeDir: string): string | undefined {
  try {
    return readCredentials(homeDir).planType;
  } catch {
    return undefined; // an account that cannot be read has told its problem already
  }
}

// Puts the CODEX_HOME of `codexlb run` in order: stub credentials that the proxy knows, and the user's settings.

import { join, resolve } from "node:path";
import { remoteStub } from "../../admin/client.ts";
import { baseOf, type Door, isProxy, through, unreachable } from "../../admin/door.ts";
import { readCredentials } from "../../auth/homes.ts";
import { readSecret, secretFile } from "../../auth/secrets.ts";
import { makeStub, pathKeyOf, type StubAuth } from "../../auth/stub.ts";
import { codexAddresses } from "../../codex/addresses.ts";
import { prepareHome, userHomes } from "../../codex/home.ts";
import { DEFAULT_PLAN } from "../../core/pooled.ts";
import { CodexlbError, messageOf } from "../../errors.ts";
import type { AccountRecord } from "../../state/store.ts";
import { openLocalStore } from "../accounts.ts";
import { type CommandContext, configOf, tokenFor } from "../context.ts";

/** What helps who is not let in. */
export const KEY_NEXT =
  "have a key made on its machine with: codexlb key add NAME, and set CODEXLB_CLIENT_KEY to it";

/** What Codex gets to show to the proxy. */
export interface Runtime {
  /** Stands in the paths of what Codex sends without credentials, at a proxy that asks for keys. */
  readonly pathKey: string | undefined;
  /** The access token of its stub. */
  readonly token: string;
}

/**
 * Writes `codexHome`/auth.json and config.toml for the proxy at `proxyUrl`. Codex takes a refusal for a login that is
 * over, and tells people to log in again: so the proxy is asked first what Codex will ask. One that does not answer is
 * warned of. Throws `unauthorized`, and `file_unusable` for a home that is somebody's own.
 */
export async function prepareRuntime(
  context: CommandContext,
  codexHome: string,
  proxyUrl: string,
): Promise<Runtime> {
  const { proxy } = await configOf(context);
  const { state } = openLocalStore(context, true, proxy.upstream_base_url);
  // The account that served last knows the plan and the settings best; then the others in order.
  const accounts = [...state.accounts].sort(
    (a, b) => Number(b.id === state.activeId) - Number(a.id === state.activeId),
  );
  const usable = accounts.filter((account) => account.health.kind !== "disabled");
  const keyed = await asksForKeys(context, proxyUrl);
  const given = await credentialsOfProxy(context, proxyUrl, accounts.length > 0);
  // Own ones are made when there are none yet; a proxy that asks for keys cannot know those.
  const useless = keyed && given === undefined && readSecret(context.layout.signingKey) === undefined;
  const credentials = useless ? undefined : (given ?? ownCredentials(context, usable));
  if (credentials === undefined || (keyed && !(await admits(proxyUrl, credentials.stub))))
    throw new CodexlbError("unauthorized", `the proxy at ${proxyUrl} serves only clients that show a key`, {
      next: KEY_NEXT,
    });
  const { stub } = credentials;
  const pathKey = keyed ? credentials.pathKey : undefined;
  const addresses = codexAddresses(proxyUrl, { pathKey });
  const sources = configSources(context, usable[0]);
  const isKept = resolve(codexHome) === resolve(context.layout.runtime);
  prepareHome({ codexHome, isKept, configSources: sources, stub, chatgptBaseUrl: addresses.chatgpt });
  return { pathKey, token: stub.tokens.access_token };
}

/**
 * Whether the proxy refuses who shows nothing. One that does not answer asks for nothing. Throws `proxy_answer` when
 * somebody else answers there, who is not to see what Codex sends.
 */
export async function asksForKeys(context: CommandContext, proxyUrl: string): Promise<boolean> {
  const door = { url: proxyUrl, timeoutMs: ANSWER_TIMEOUT_MS };
  try {
    if ((await statusOfCheck(door)) === 401) return true;
    if (await isProxy(door)) return false;
  } catch (error) {
    const { message, next } = unreachable(door, error);
    const own = `http://${(await configOf(context)).proxy.listen}`;
    const start = proxyUrl === own ? ", or have run start one for itself: codexlb run --auto-start" : "";
    context.deps.log.warn(`${message}; ${next}${start}`);
    return false;
  }
  throw new CodexlbError("proxy_answer", `what answers at ${proxyUrl} is not a codexlb proxy`, {
    next: "give the address of one with --proxy-url, or have one listen elsewhere: proxy.listen in config.toml",
  });
}

/** Whether `codexlb run` would be let in by the proxy at `proxyUrl`; writes nothing. Throws `proxy_answer`. */
export async function letsUsIn(context: CommandContext, proxyUrl: string): Promise<boolean> {
  if (!(await asksForKeys(context, proxyUrl))) return true;
  const { deps, layout } = context;
  const key = readSecret(layout.signingKey);
  const given = await credentialsOfProxy(context, proxyUrl, key !== undefined);
  const stub = given?.stub ?? (key && makeStub(DEFAULT_PLAN, key, deps.clock.now()));
  return stub ? admits(proxyUrl, stub) : false;
}

/** Homes whose config.toml may be taken over, best first. */
export function configSources(
  { deps, layout }: CommandContext,
  account: AccountRecord | undefined,
): string[] {
  return [...(account === undefined ? [] : [join(layout.accounts, account.alias)]), ...userHomes(deps.env)];
}

// --- internal ---

/** The wait for an answer of the proxy before Codex is started without. */
const ANSWER_TIMEOUT_MS = 3_000;

interface RuntimeCredentials {
  readonly stub: StubAuth;
  readonly pathKey: string | undefined;
}

/**
 * What the proxy signed itself, which a proxy elsewhere may insist on: asked for with the client key, if there is one,
 * and in a root without accounts. A root with accounts signs its own, as its proxy does.
 */
async function credentialsOfProxy(
  context: CommandContext,
  proxyUrl: string,
  hasAccounts: boolean,
): Promise<RuntimeCredentials | undefined> {
  const { deps } = context;
  const key = deps.env.CODEXLB_CLIENT_KEY?.trim();
  const token = key || (hasAccounts ? undefined : tokenFor(context, proxyUrl, undefined));
  if (!token) return undefined;
  try {
    return await remoteStub({ url: proxyUrl, token, timeoutMs: ANSWER_TIMEOUT_MS });
  } catch (error) {
    if (key) deps.log.warn(`asking for credentials with CODEXLB_CLIENT_KEY: ${messageOf(error)}`);
    return undefined;
  }
}

function ownCredentials(
  { deps, layout }: CommandContext,
  accounts: readonly AccountRecord[],
): RuntimeCredentials {
  const plan = accounts.map((account) => planOf(account.homeDir)).find((found) => found !== undefined);
  const key = secretFile(layout.signingKey, deps.random);
  return { stub: makeStub(plan ?? DEFAULT_PLAN, key, deps.clock.now()), pathKey: pathKeyOf(key) };
}

async function admits(proxyUrl: string, stub: StubAuth): Promise<boolean> {
  const door = { url: proxyUrl, token: stub.tokens.access_token, timeoutMs: ANSWER_TIMEOUT_MS };
  return (await statusOfCheck(door).catch(() => 0)) !== 401;
}

/** What Codex asks first, and the proxy answers by itself. */
async function statusOfCheck(door: Door): Promise<number> {
  const response = await through(door)(`${baseOf(door)}/backend-api/wham/accounts/check`);
  await response.body?.cancel();
  return response.status;
}

function planOf(homeDir: string): string | undefined {
  try {
    return readCredentials(homeDir).planType;
  } catch {
    return undefined; // an account that cannot be read has told its problem already
  }
}

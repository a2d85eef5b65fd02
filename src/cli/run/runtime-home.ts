// Prepares the CODEX_HOME of `codexlb run`: stub credentials that the proxy accepts, and the user's settings.

import { join } from "node:path";
import { remoteStub } from "../../admin/client.ts";
import { baseOf, type Door, isProxy, through, unreachable } from "../../admin/door.ts";
import { createCredential } from "../../admin/proving.ts";
import { advised } from "../../advice.ts";
import { readCredentials } from "../../auth/homes.ts";
import { newSecret, readSecret, secretFile } from "../../auth/secrets.ts";
import { makeStub, pathKeyOf, type StubAuth, type ThreadOwner } from "../../auth/stub.ts";
import { codexAddresses } from "../../codex/addresses.ts";
import { prepareHome, userHomes } from "../../codex/home.ts";
import { threadOwnerIn } from "../../codex/thread-owner.ts";
import { DEFAULT_PLAN } from "../../core/pooled.ts";
import { CodexlbError, messageOf } from "../../errors.ts";
import type { AccountRecord } from "../../state/account-record.ts";
import { readTextIfPresent } from "../../state/atomic-file.ts";
import { openLocalStore } from "../accounts/with-accounts.ts";
import { configOf } from "../config/root-config.ts";
import type { CommandContext } from "../context.ts";
import { type Location, urlOf } from "../proxy/locate-proxy.ts";
import { tokenFor } from "../proxy/proxy-credential.ts";
import { forcedSettings, linkedOrIsolated } from "./link-home.ts";
import { addressOf, type ProxyAddress } from "./proxy-address.ts";
import { isManaged, type RunHome } from "./run-home.ts";

/** The next step for a client that the proxy refuses. */
export const KEY_NEXT =
  "create a key on the proxy's machine with: codexlb key add NAME, and set CODEXLB_CLIENT_KEY to it here";

/** The home that was prepared, and the credentials that Codex sends to the proxy. */
export interface Runtime {
  readonly home: RunHome;
  /** The key in the path of requests that Codex sends without credentials; only for a proxy that requires keys. */
  readonly pathKey: string | undefined;
  /** The access token of the stub. */
  readonly token: string;
}

/**
 * Links the user's home into `home`, and writes auth.json and config.toml for the proxy at `address`. Uses the isolated
 * home, with a warning, if the user's home cannot be written. Codex treats a refusal as an expired login
 * and asks the user to log in again, so this sends Codex's first request itself. Warns if the proxy does not answer.
 * Throws `unauthorized`, and `file_unusable` for a home with a login or settings that are not codexlb's.
 */
export async function prepareRuntime(
  context: CommandContext,
  home: RunHome,
  address: ProxyAddress,
): Promise<Runtime> {
  const proxyUrl = address.url;
  const { proxy } = await configOf(context);
  const { state } = openLocalStore(context, true, proxy.upstream_base_url);
  // The active account has the best plan and settings for Codex; the others follow in order.
  const accounts = [...state.accounts].sort(
    (a, b) => Number(b.id === state.activeId) - Number(a.id === state.activeId),
  );
  const usable = accounts.filter((account) => account.health.kind !== "disabled");
  const keyed = await requiresKey(context, proxyUrl);
  const credentials = await credentialsFor(context, address, keyed, () => planOfAny(usable));
  const { keyProblem } = credentials;
  if (keyed && !(await isAccepted(proxyUrl, credentials))) {
    const why = keyProblem === undefined ? "" : `, and CODEXLB_CLIENT_KEY cannot be used: ${keyProblem}`;
    throw new CodexlbError("unauthorized", `the proxy at ${proxyUrl} requires a key${why}`, {
      next: address.whose === "own" ? ownKeyNext() : KEY_NEXT,
    });
  }
  if (keyProblem !== undefined)
    context.deps.log.warn(`requesting credentials with CODEXLB_CLIENT_KEY: ${keyProblem}`);
  const { stub } = credentials;
  const pathKey = keyed ? credentials.pathKey : undefined;
  const addresses = codexAddresses(proxyUrl, { pathKey });
  const linked = linkedOrIsolated(context, home);
  const { path, own } = linked;
  const sources = configSources(context, usable[0], own);
  reportForeignSettings(context, sources, path);
  const leftOut = prepareHome({
    codexHome: path,
    isKept: isManaged(path, context.layout),
    configSources: sources,
    stub,
    owner: own === undefined ? undefined : ownerFor(own, linked),
    chatgptBaseUrl: addresses.chatgpt,
    forced: forcedSettings(context.deps.env, own, sources),
  });
  if (leftOut.length > 0)
    context.deps.log.info(
      `settings not copied, because with them Codex would delete the stub login: ${leftOut.join(", ")}`,
    );
  return { home: linked, pathKey, token: stub.tokens.access_token };
}

/**
 * True if the proxy refuses clients without credentials; false if it does not answer, too. Throws `proxy_answer` if
 * another program answers there, because it must not see Codex's requests.
 */
export async function requiresKey(context: CommandContext, proxyUrl: string): Promise<boolean> {
  const door = { url: proxyUrl, timeoutMs: ANSWER_TIMEOUT_MS };
  try {
    if (await isProxy(door)) return (await statusOfCheck(door)) === 401;
  } catch (error) {
    const { message, next } = unreachable(door, error);
    const own = `http://${(await configOf(context)).proxy.listen}`;
    const start = proxyUrl === own ? `, or let run start one: ${advised("run", "--auto-start")}` : "";
    context.deps.log.warn(`${message}; ${next}${start}`);
    return false;
  }
  throw new CodexlbError("proxy_answer", `the server at ${proxyUrl} is not a codexlb proxy`, {
    next: "give the address of a proxy with --proxy-url, or let the proxy listen on another address: proxy.listen in config.toml",
  });
}

/** True if the proxy at `location` accepts `codexlb run`. Writes nothing. Throws `proxy_answer`. */
export async function isAdmitted(context: CommandContext, location: Location): Promise<boolean> {
  const proxyUrl = urlOf(location);
  if (!(await requiresKey(context, proxyUrl))) return true;
  const address = await addressOf(context, location);
  // A root that does not exist yet has no stubs, and this check must not create it.
  if (address.whose !== "named" && readSecret(context.layout.signingKey) === undefined) return false;
  return isAccepted(proxyUrl, await credentialsFor(context, address, true, () => undefined));
}

/** Homes whose config.toml can be the base of the settings, best first: `own` if given, then the account's. */
export function configSources(
  { deps, layout }: CommandContext,
  account: AccountRecord | undefined,
  own?: string,
): string[] {
  return [
    ...(own === undefined ? [] : [own]),
    ...(account === undefined ? [] : [join(layout.accounts, account.alias)]),
    ...userHomes(deps.env).filter((home) => !isManaged(home, layout)),
  ];
}

// --- internal ---

/** The owner of the threads in `own`: of its login, or else the one that a stub for it has had. */
function ownerFor(own: string, { path, unkeyed }: RunHome): ThreadOwner | undefined {
  return (
    threadOwnerIn(own) ?? threadOwnerIn(path) ?? (unkeyed === undefined ? undefined : threadOwnerIn(unkeyed))
  );
}

/** Reports if Codex gets settings other than the user's own. */
function reportForeignSettings(
  { deps, layout }: CommandContext,
  sources: readonly string[],
  codexHome: string,
): void {
  const texts = sources
    .map((home) => ({ path: join(home, "config.toml"), text: configIn(home) }))
    .filter(({ path, text }) => text !== undefined && path !== join(codexHome, "config.toml"));
  const [used] = texts;
  if (used === undefined || !used.path.startsWith(`${layout.accounts}/`)) return;
  const own = texts.find(({ path }) => !path.startsWith(`${layout.accounts}/`));
  if (own?.text !== used.text)
    deps.log.info(`Codex uses the settings that came with an account (${used.path}), not your own`);
}

function configIn(home: string): string | undefined {
  return readTextIfPresent(join(home, "config.toml"));
}

/** The next step on the root of the proxy, which refuses only a key that does not work. */
function ownKeyNext(): string {
  return `unset CODEXLB_CLIENT_KEY, because runs on this root need no key, or create a key with: ${advised("key add", "NAME")}`;
}

/** How long to wait for the proxy before Codex starts anyway, in ms. */
const ANSWER_TIMEOUT_MS = 3_000;

/** The stub for auth.json, and the key for paths. */
interface RuntimeCredentials {
  readonly stub: StubAuth;
  readonly pathKey: string | undefined;
  /** Why CODEXLB_CLIENT_KEY did not give credentials; undefined if it did, or is not set. */
  readonly keyProblem?: string;
}

/**
 * Credentials for Codex. The root signs them for its own proxy. Another proxy is asked for its own, with the key or
 * token that the user gave. Without either, Codex gets a stub that no proxy accepts, because it does not start without
 * a login. A root's own proxy that requires keys (`keyed`) is asked, too, if the user gave a key, so that the key's
 * limits apply.
 */
async function credentialsFor(
  context: CommandContext,
  { url, whose }: ProxyAddress,
  keyed: boolean,
  plan: () => string | undefined,
): Promise<RuntimeCredentials> {
  const { deps, layout } = context;
  const isAsked = whose === "named" || (keyed && clientKey(context) !== undefined);
  const given = isAsked ? await credentialsOfProxy(context, url) : undefined;
  if (typeof given === "object") return given;
  const key = whose === "named" ? newSecret(deps.random) : secretFile(layout.signingKey, deps.random);
  const nowMs = deps.clock.now();
  return {
    stub: makeStub(plan() ?? DEFAULT_PLAN, key, nowMs),
    pathKey: pathKeyOf(key, nowMs),
    ...(given === undefined ? {} : { keyProblem: given }),
  };
}

/** The credentials that the proxy gives, or why it gives none for CODEXLB_CLIENT_KEY; undefined without a secret. */
async function credentialsOfProxy(
  context: CommandContext,
  url: string,
): Promise<RuntimeCredentials | string | undefined> {
  const { deps } = context;
  const key = clientKey(context);
  const secret = key ?? tokenFor(context, undefined);
  if (!secret) return undefined;
  const credential = createCredential({ ...deps, secret, origin: "given" });
  try {
    return await remoteStub({ url, credential, timeoutMs: ANSWER_TIMEOUT_MS });
  } catch (error) {
    return key ? keyProblemOf(error) : undefined;
  }
}

function clientKey({ deps }: CommandContext): string | undefined {
  return deps.env.CODEXLB_CLIENT_KEY?.trim() || undefined;
}

function keyProblemOf(error: unknown): string {
  return error instanceof CodexlbError && error.code === "unauthorized"
    ? "it is not a key of this proxy"
    : messageOf(error);
}

function planOfAny(accounts: readonly AccountRecord[]): string | undefined {
  return accounts.map((account) => planOf(account.homeDir)).find((found) => found !== undefined);
}

/** False for a key that cannot be used, although the root's own proxy would accept the stub that the root signs. */
async function isAccepted(proxyUrl: string, { stub, keyProblem }: RuntimeCredentials): Promise<boolean> {
  if (keyProblem !== undefined) return false;
  const door = { url: proxyUrl, stub: stub.tokens.access_token, timeoutMs: ANSWER_TIMEOUT_MS };
  return (await statusOfCheck(door).catch(() => 0)) !== 401;
}

/** The status of Codex's first request, which the proxy answers itself. */
async function statusOfCheck(door: Door): Promise<number> {
  const response = await through(door)(`${baseOf(door)}/backend-api/wham/accounts/check`);
  await response.body?.cancel();
  return response.status;
}

function planOf(homeDir: string): string | undefined {
  try {
    return readCredentials(homeDir).planType;
  } catch {
    return undefined; // the problem of this account is reported elsewhere
  }
}

// `codexlb account import`: enrols the account of the login in a Codex home on this machine.

import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { defineCommand } from "citty";
import { type AccountOps, identityOfListed } from "../../auth/account-ops.ts";
import { parseAuthFile } from "../../auth/auth-file.ts";
import { refuseDuplicate } from "../../auth/enrol.ts";
import { authFileOf, checkAlias } from "../../auth/homes.ts";
import { personName, sameIdentity, sharesAddress } from "../../auth/identity.ts";
import { networkSettings } from "../../auth/network-settings.ts";
import { withTokenOwner } from "../../auth/token-owner.ts";
import { inferAlias } from "../../codex/alias.ts";
import { textWithAbsolutePaths } from "../../codex/carried-settings.ts";
import { keyringOf, userHomes } from "../../codex/home.ts";
import type { Log } from "../../deps.ts";
import { CodexlbError } from "../../errors.ts";
import { print } from "../../print.ts";
import { readTextIfPresent } from "../../state/atomic-file.ts";
import { REMOTE_FLAGS, type RemoteFlags, ROOT_FLAG } from "../common-flags.ts";
import { type CommandContext, contextOf } from "../context.ts";
import { usage } from "../flags.ts";
import { type Place, placeHere, placeOf } from "./account-place.ts";
import { withAccounts } from "./with-accounts.ts";

export default defineCommand({
  meta: {
    name: "codexlb account import",
    description: "Enrol the account that a Codex home is logged in to",
  },
  args: {
    ...ROOT_FLAG,
    from: {
      type: "string",
      description: "Codex home with the login, or its auth.json (CODEX_HOME; default ~/.codex)",
      valueHint: "CODEX_HOME",
    },
    into: {
      type: "string",
      description:
        "Destination. local: the root on this machine (default). proxy: the proxy that --proxy-url or the settings name (default with --proxy-name)",
      valueHint: "local|proxy",
    },
    ...REMOTE_FLAGS,
    replace: {
      type: "boolean",
      description:
        "Enrol the login even if the alias belongs to another account or has a newer login, or if another alias has the same login",
    },
    force: { type: "boolean", description: "The same as --replace" },
    alias: {
      type: "positional",
      description: "Name that you choose for the account. A path before it counts as --from",
      valueHint: "ALIAS",
      required: false,
    },
  },
  run: async ({ args, rawArgs }) => {
    const { path, alias } = pathAndAlias(rawArgs, args.from);
    const context = contextOf(args.root, { createsRoot: true });
    const fallback = args["proxy-name"]?.trim() ? "proxy" : "local";
    const place = await placeFor(context, args.into?.trim().toLowerCase() || fallback, args);
    if (alias !== undefined) checkAlias(alias);
    const source = sourceAt(resolve(path || (userHomes(context.deps.env)[0] ?? ".")));
    await withAccounts(context, place, { write: true }, (ops) =>
      importFrom(source, {
        context,
        ops,
        named: alias,
        replace: args.replace || args.force || false,
        isElsewhere: place.kind === "remote",
      }),
    );
  },
});

// --- internal ---

/** The path of the login and the alias in `words`. A path in the place of the alias is recognized. Throws `usage`. */
function pathAndAlias(
  words: readonly string[],
  from: string | undefined,
): { readonly path: string | undefined; readonly alias: string | undefined } {
  const given = from?.trim() || undefined;
  const [first, second, ...surplus] = words;
  const isFirstPath = given === undefined && first !== undefined && isPath(first);
  if (surplus.length > 0 || (second !== undefined && !isFirstPath))
    throw usage("account import takes one alias at most");
  return isFirstPath ? { path: first, alias: second } : { path: given, alias: first };
}

/** True if a word cannot be an alias, or is the name of a login file. */
function isPath(word: string): boolean {
  return /[/\\]|^\.\.?$/.test(word) || (word.endsWith(".json") && existsSync(word));
}

async function placeFor(context: CommandContext, into: string, flags: RemoteFlags): Promise<Place> {
  if (into === "local") {
    for (const flag of ["proxy-url", "proxy-name"] as const)
      if (flags[flag] !== undefined)
        context.deps.log.warn(
          `--${flag} is ignored: without --into proxy, the account goes to the root on this machine`,
        );
    return placeHere(context);
  }
  if (into !== "proxy") throw usage("--into must be one of: local, proxy");
  const place = await placeOf(context, flags);
  // The user asked for the proxy, so an unreachable proxy is an error. The account must not go anywhere else.
  if (place.kind === "remote") return { ...place, fallback: false };
  throw usage(
    "--into=proxy requires --proxy-url, CODEXLB_PROXY_URL or proxy.proxy_url in config.toml",
    "without --into, the account goes to the root on this machine and the proxy running on it",
  );
}

interface Import {
  readonly context: CommandContext;
  readonly ops: AccountOps;
  readonly named: string | undefined;
  readonly replace: boolean;
  /** True if the proxy of another machine receives the account. */
  readonly isElsewhere: boolean;
}

/** A login on this machine. */
interface Source {
  /** The Codex home, or the directory of a login file. */
  readonly from: string;
  /** The login file. */
  readonly path: string;
  readonly text: string;
}

/** Reads the login in `path`, a Codex home or a login file. Throws `invalid_auth_file`. */
function sourceAt(given: string): Source {
  const isFile = statSync(given, { throwIfNoEntry: false })?.isFile() === true;
  const from = isFile ? dirname(given) : given;
  const path = isFile ? given : authFileOf(given);
  const text = readTextIfPresent(path);
  if (text === undefined) throw noLogin(from, path);
  return { from, path, text };
}

async function importFrom(
  { from, path, text }: Source,
  { context, ops, named, replace, isElsewhere }: Import,
): Promise<void> {
  const { deps } = context;
  const auth = await withTokenOwner(text, path, deps);
  const credentials = parseAuthFile(auth, path);
  if (credentials.refreshToken === undefined)
    deps.log.warn(
      auth === text
        ? "this login has no refresh token: it expires with its access token"
        : "this is a personal access token: it cannot be renewed and works until it expires or is revoked",
    );
  if (credentials.accountId === undefined)
    deps.log.warn("this login does not name its ChatGPT account, so the backend may refuse it");
  const accounts = await ops.list();
  const identities = accounts.map(identityOfListed);
  const same = sameIdentity(identities, credentials);
  const taken = accounts.map((account) => account.alias);
  // Without an alias, a known login updates its own account.
  const alias = named ?? same[0] ?? inferAlias(from, credentials, taken, deps);
  // The Go program accepts it.
  if (!taken.includes(alias) && !replace) refuseDuplicate(credentials, identities);
  const config = path === authFileOf(from) ? settingsFrom(from, isElsewhere, deps.log) : undefined;
  const { total, change } = await ops.import(alias, { auth, config, replace });
  print(`${change} account ${alias} (total=${total})\n`);
  const others = identities.filter((one) => one.alias !== alias && sharesAddress(one, [credentials]));
  if (others.length > 0)
    deps.log.info(
      `${alias} is ${personName(credentials, others)}; ${others.map((one) => `${one.alias} is ${personName(one, [credentials, ...others])}`).join("; ")}`,
    );
  const duplicates = same.filter((one) => one !== alias);
  if (duplicates.length > 0)
    deps.log.warn(
      `${alias} is the same ChatGPT account as ${duplicates.join(", ")}; keep only one, because each token refresh invalidates the other login`,
    );
}

/** The error for a home without auth.json. The login may be in the keyring instead. */
function noLogin(from: string, path: string): CodexlbError {
  const store = keyringOf(from);
  if (store === undefined)
    return new CodexlbError("invalid_auth_file", `reading ${path}: no such file`, {
      next: "name the Codex home with --from, or log in with: codexlb account login ALIAS",
    });
  return new CodexlbError(
    "invalid_auth_file",
    `${from} keeps its login in the system keyring (cli_auth_credentials_store = ${JSON.stringify(store)}), which codexlb cannot read`,
    { next: "log in again, into a file: codexlb account login ALIAS" },
  );
}

/** The config.toml to send with the login. A proxy on another machine gets only the harmless settings. */
function settingsFrom(from: string, isElsewhere: boolean, log: Log): string | undefined {
  const own = readTextIfPresent(join(from, "config.toml"));
  if (own === undefined) return undefined;
  if (!isElsewhere) return textWithAbsolutePaths(own, from);
  const { config, leftOut } = networkSettings(own);
  if (leftOut.length > 0)
    log.info(
      `these settings were not sent, because they could start programs or redirect turns there: ${leftOut.join(", ")}`,
    );
  return config;
}

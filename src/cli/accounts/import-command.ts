// `codexlb account import`: enrols the account of the login in a Codex home on this machine.

import { join, resolve } from "node:path";
import { defineCommand } from "citty";
import { type AccountOps, identityOfListed } from "../../auth/account-ops.ts";
import { parseAuthFile } from "../../auth/auth-file.ts";
import { authFileOf } from "../../auth/homes.ts";
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
      description: "Codex home with the login (CODEX_HOME; default ~/.codex)",
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
      description: "Replace the login even if the alias belongs to another account or has a newer login",
    },
    alias: {
      type: "positional",
      description: "Name that you choose for the account",
      valueHint: "ALIAS",
      required: false,
    },
  },
  run: async ({ args, rawArgs }) => {
    if (rawArgs.length > 1) throw usage("account import takes one alias at most");
    const context = contextOf(args.root);
    const fallback = args["proxy-name"]?.trim() ? "proxy" : "local";
    const place = await placeFor(context, args.into?.trim().toLowerCase() || fallback, args);
    const from = resolve(args.from?.trim() || (userHomes(context.deps.env)[0] ?? "."));
    await withAccounts(context, place, { write: true }, (ops) =>
      importFrom(from, {
        context,
        ops,
        named: args.alias,
        replace: args.replace ?? false,
        isElsewhere: place.kind === "remote",
      }),
    );
  },
});

// --- internal ---

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

async function importFrom(
  from: string,
  { context, ops, named, replace, isElsewhere }: Import,
): Promise<void> {
  const { deps } = context;
  const path = authFileOf(from);
  const found = readTextIfPresent(path);
  if (found === undefined) throw noLogin(from, path);
  const auth = await withTokenOwner(found, path, deps);
  const credentials = parseAuthFile(auth, path);
  if (credentials.refreshToken === undefined)
    deps.log.warn(
      auth === found
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
  const config = settingsFrom(from, isElsewhere, deps.log);
  const total = await ops.import(alias, { auth, config, replace });
  print(`imported account ${alias} (total=${total})\n`);
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

// Enrols one login that `codexlb account import` has read.

import { basename, join } from "node:path";
import { advised } from "../../advice.ts";
import { type AccountOps, identityOfListed } from "../../auth/account-ops.ts";
import { takeExportedCap } from "../../auth/api-key-file.ts";
import { type Credentials, parseAuthFile } from "../../auth/auth-file.ts";
import { type EnrolChange, refuseDuplicate } from "../../auth/enrol.ts";
import { authFileOf } from "../../auth/homes.ts";
import { type Identity, personName, sameIdentity, sharesAddress } from "../../auth/identity.ts";
import type { FoundLogin } from "../../auth/import/format.ts";
import { networkSettings } from "../../auth/network-settings.ts";
import { checkNewAlias, isReservedAlias } from "../../auth/reserved-aliases.ts";
import { withTokenOwner } from "../../auth/token-owner.ts";
import { inferAlias } from "../../codex/alias.ts";
import { textWithAbsolutePaths } from "../../codex/carried-settings.ts";
import { changeWords } from "../../core/option-words.ts";
import type { Deps, Log } from "../../deps.ts";
import { readTextIfPresent } from "../../state/atomic-file.ts";

/** Where logins are enrolled, and how. */
export interface ImportTarget {
  readonly deps: Deps;
  readonly ops: AccountOps;
  readonly replace: boolean;
  /** True if the proxy of another machine receives the accounts. */
  readonly isElsewhere: boolean;
  /** Aliases that no other login may get, in addition to those of the enrolled accounts. */
  readonly reserved: readonly string[];
}

/** A login with everything that its enrolment needs. */
export interface ReadyLogin {
  readonly login: FoundLogin;
  /** The text of its auth.json, which names its owner. */
  readonly auth: string;
  /** The monthly cap of an API key that `codexlb account export` wrote, in USD. */
  readonly capUsd: number | undefined;
  readonly credentials: Credentials;
}

/** A login with its place among the enrolled accounts. */
export interface PlannedLogin extends ReadyLogin {
  readonly alias: string;
  /** The enrolled accounts. */
  readonly identities: readonly Identity[];
  /** The aliases that have the same login. */
  readonly same: readonly string[];
}

/** Reads a login. Throws `invalid_auth_file` and what `withTokenOwner` throws. */
export async function readyLogin(login: FoundLogin, deps: Pick<Deps, "env">): Promise<ReadyLogin> {
  const { auth: given, capUsd } = takeExportedCap(login.auth);
  const auth = await withTokenOwner(given, login.path, deps);
  return { login, auth, capUsd, credentials: parseAuthFile(auth, login.path) };
}

/** Chooses the alias of a login, unless it is `named`. Throws `already_enrolled`, `invalid_alias`. */
export async function planLogin(
  ready: ReadyLogin,
  named: string | undefined,
  { deps, ops, replace, reserved }: ImportTarget,
): Promise<PlannedLogin> {
  const { login, credentials } = ready;
  const accounts = await ops.list();
  const identities = accounts.map(identityOfListed);
  const same = sameIdentity(identities, credentials);
  const taken = accounts.map((account) => account.alias);
  const used = [...taken, ...reserved];
  const own = login.alias !== undefined && isFree(login.alias, used) ? login.alias : undefined;
  // Without an alias, a known login updates its own account.
  const alias = named ?? same[0] ?? own ?? inferAlias(login, credentials, used, deps);
  if (!isIn(alias, taken)) checkNewAlias(alias);
  // The Go program accepts it.
  if (!taken.includes(alias) && !replace) refuseDuplicate(credentials, identities);
  return { ...ready, alias, identities, same };
}

/** Enrols the login, and reports accounts that it can be confused with. Throws what `AccountOps.import` throws. */
export async function importLogin(
  planned: PlannedLogin,
  { deps, ops, replace, isElsewhere }: ImportTarget,
): Promise<{ readonly change: EnrolChange; readonly total: number }> {
  const { login, auth, credentials, alias, identities, same } = planned;
  const hasSettings = login.home !== undefined && basename(login.path) === basename(authFileOf(""));
  const config = hasSettings ? settingsFrom(login.home, isElsewhere, deps.log) : undefined;
  const result = await ops.import(alias, { auth, config, replace });
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
  if (credentials.apiBaseUrl !== undefined) await importCap(planned, ops, deps.log);
  return result;
}

// --- internal ---

/** Gives an imported API key the monthly cap of its export, unless the account has one. Reports the result. */
async function importCap(
  { alias, capUsd: monthlyCap }: PlannedLogin,
  ops: AccountOps,
  log: Log,
): Promise<void> {
  const imported = (await ops.list()).find((account) => account.alias === alias);
  if (imported?.codexlb.options.monthly_cap !== undefined) return;
  if (monthlyCap === undefined)
    return log.warn(
      `account ${alias} has no monthly cap, so it serves no turns; set one with: ${advised("account set", alias, "--monthly-cap", "20usd")}`,
    );
  await ops.set(alias, { options: { monthlyCap } });
  log.info(`account ${alias} ${changeWords({ monthlyCap })}, as before the export`);
}

/** True if a new account can be called `alias`, and none of `used` is. */
function isFree(alias: string, used: readonly string[]): boolean {
  return !isIn(alias, used) && !isReservedAlias(alias);
}

function isIn(alias: string, aliases: readonly string[]): boolean {
  return aliases.some((one) => one.toLowerCase() === alias.toLowerCase());
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

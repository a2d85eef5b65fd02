// Enrols and removes accounts. Every change on disk is one rename, so a killed process leaves either the old home or
// the new one. A change can be undone until the store is written.

import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { advised } from "../advice.ts";
import { nearest } from "../core/nearest.ts";
import { CodexlbError, type ErrorCode } from "../errors.ts";
import { type AccountRecord, accountId, newAccount } from "../state/account-record.ts";
import { unusable } from "../state/atomic-file.ts";
import type { Layout } from "../state/layout.ts";
import { changeHealth, restore } from "../state/record-changes.ts";
import { accountNamed, type StoreState } from "../state/store-state.ts";
import { type Credentials, parseAuthFile, sameAuthFile } from "./auth-file.ts";
import { authFileOf, checkAlias, exists, readCredentials } from "./homes.ts";
import {
  type Identity,
  identityOf,
  isAnonymous,
  isAnother,
  nameOf,
  personName,
  sameIdentity,
} from "./identity.ts";
import { REMOVED_PREFIX } from "./leftovers.ts";
import { adoptLogin, keepSpent } from "./spent-keys.ts";
import { looksLikeStub } from "./stub.ts";
import { readableText, refuseLink, writeHome } from "./write-home.ts";

/**
 * What an enrolment did. `imported`: the alias is new or has another account now. `updated`: the alias has another
 * login of the same account or other settings, or is in service again. `unchanged`: everything was the same before.
 */
export type EnrolChange = "imported" | "updated" | "unchanged";

export interface Enrolment {
  readonly record: AccountRecord;
  readonly change: EnrolChange;
  /** Restores the previous state. */
  undo(): void;
}

type AccountFiles = { readonly auth: string; readonly config: string | undefined; readonly replace: boolean };

/**
 * Installs `auth` (the text of an auth.json) and optionally `config` (of a config.toml) as the home of `alias`, and
 * returns its record. Everything is validated first: a bad import changes nothing, nor does one that cannot be written.
 * A known alias keeps its quota and loses a disablement that new credentials cure. A login of another account, or an
 * older login than the current one, is accepted only with `replace`, and then starts without the former quota. A login
 * for a new alias also needs `replace` if another alias already has it. Throws `invalid_alias`, `invalid_auth_file`,
 * `identity_differs`, `already_enrolled`, `login_older`, `file_unusable`.
 */
export function installReversibly(
  state: StoreState,
  layout: Layout,
  alias: string,
  files: AccountFiles,
): Enrolment {
  checkAlias(alias);
  const credentials = parseAuthFile(files.auth, `auth.json of ${alias}`);
  if (looksLikeStub(credentials.accessToken))
    throw new CodexlbError(
      "invalid_auth_file",
      `auth.json of ${alias} is the stub written by codexlb run, not a real login`,
      {
        next: `use a Codex home with a real login, or log in with: ${advised("account login", "ALIAS")}`,
      },
    );
  const clash = state.accounts.find((account) => account.id === accountId(alias) && account.alias !== alias);
  if (clash !== undefined)
    throw new CodexlbError(
      "invalid_alias",
      `alias ${alias} differs from the existing ${clash.alias} only in case`,
      {
        next: `use ${clash.alias} to replace that account, or another alias`,
      },
    );
  const known = state.accounts.find((account) => account.alias === alias);
  if (known !== undefined && !files.replace) {
    refuseOther(known, credentials, state.accounts);
    refuseOlder(known, credentials);
  }
  if (known === undefined && !files.replace) refuseDuplicate(credentials, state.accounts.map(identityOf));
  const homeDir = join(layout.accounts, alias);
  const isNew = known === undefined || isAnother(known, credentials);
  const isSame = isInstalled(homeDir, files);
  const restoreHome = writeHome(homeDir, { "auth.json": files.auth, "config.toml": files.config });
  const record = known ?? newAccount(alias, homeDir);
  const before = { ...record };
  const { spentKeys } = state;
  if (known === undefined) state.accounts.push(record);
  changeHealth(record, { kind: "renewed" });
  adoptLogin(state, record, credentials);
  const isUnchanged = isSame && record.health.kind === before.health.kind;
  return {
    record,
    change: isNew ? "imported" : isUnchanged ? "unchanged" : "updated",
    undo: () => {
      if (known === undefined) state.accounts = state.accounts.filter((account) => account !== record);
      restore(record, before);
      state.spentKeys = spentKeys;
      restoreHome();
    },
  };
}

/** Like `installReversibly`, without a way to undo it. */
export function installAccount(
  state: StoreState,
  layout: Layout,
  alias: string,
  files: AccountFiles,
): AccountRecord {
  return installReversibly(state, layout, alias, files).record;
}

/** A removal that can be undone until `finish`. */
export interface Removal {
  readonly record: AccountRecord;
  /** Deletes the account's home. */
  finish(): void;
  /** Restores the account and its home. */
  undo(): void;
}

/** Removes the account `name` (alias or id) from the state, and hides its home. Throws `account_not_found`. */
export function removeAccount(state: StoreState, layout: Layout, name: string): Removal {
  const record = findAccount(state, name);
  const homeDir = join(layout.accounts, record.alias);
  checkAlias(record.alias);
  refuseLink(homeDir);
  const home = hideHome(layout, homeDir);
  const before = { ...state, spentKeys: state.spentKeys };
  state.accounts = state.accounts.filter((account) => account !== record);
  if (state.activeId === record.id) state.activeId = undefined;
  if (state.pinnedId === record.id) state.pinnedId = undefined;
  keepSpent(state, record);
  return {
    record,
    finish: home.finish,
    undo: () => {
      home.undo();
      Object.assign(state, before);
    },
  };
}

/** The account with this alias or id. Throws `account_not_found`. */
export function findAccount(state: StoreState, name: string): AccountRecord {
  const found = accountNamed(state, name);
  if (found !== undefined) return found;
  const aliases = state.accounts.map((account) => account.alias);
  throw new CodexlbError("account_not_found", `account not found: ${name}`, {
    next: unknownAccountNext(name, aliases),
  });
}

/**
 * Throws `already_enrolled` for a login that one of `accounts` has: each token refresh of one copy would invalidate the
 * other one.
 */
export function refuseDuplicate(
  credentials: Pick<Credentials, "accountId" | "userId">,
  accounts: readonly Identity[],
): void {
  const [other] = sameIdentity(accounts, credentials);
  if (other === undefined) return;
  throw new CodexlbError("already_enrolled", `this login is already enrolled, as ${other}`, {
    next: replaceNext("already_enrolled"),
  });
}

/**
 * The next step after `name`, which no account has. `aliases` are those of the accounts, and `into` are the flags of an
 * import to the same place (default: none).
 */
export function unknownAccountNext(
  name: string,
  aliases: readonly string[],
  ...into: readonly string[]
): string {
  if (aliases.length === 0)
    return `run: ${advised("account login", "ALIAS")}, or: ${advised("account import", ...into)}`;
  const similar = nearest(name.toLowerCase(), aliases);
  if (similar !== undefined) return `did you mean ${similar}?`;
  if (aliases.length > MOST_NAMED) return `see: ${advised("account list")} (there are ${aliases.length})`;
  return `known accounts: ${aliases.join(", ")}`;
}

/**
 * `error` with the next step for a caller that replaces an account by `how` (default: a command's flag), if it is an
 * error of an import that would succeed then. Other errors stay as they are.
 */
export function withReplaceNext(error: unknown, how = REPLACE_FLAG): unknown {
  if (!(error instanceof CodexlbError) || !isReplaceable(error.code)) return error;
  return new CodexlbError(error.code, error.message, { next: replaceNext(error.code, how), cause: error });
}

// --- internal ---

const MOST_NAMED = 8;

const REPLACE_FLAG = "add --replace";

/** The codes of imports that replacing the account allows. */
type ReplaceableCode = "already_enrolled" | "identity_differs" | "login_older";

function isReplaceable(code: ErrorCode): code is ReplaceableCode {
  return code === "already_enrolled" || code === "identity_differs" || code === "login_older";
}

function replaceNext(code: ReplaceableCode, how = REPLACE_FLAG): string {
  switch (code) {
    case "already_enrolled":
      return `to update it, use that alias; to enrol it a second time, ${how}`;
    case "identity_differs":
      return `use another alias, or ${how} to discard the enrolled login`;
    case "login_older":
      return `log in again with: ${advised("account login", "ALIAS")}; or ${how} to import the older login`;
    default:
      return code satisfies never;
  }
}

/** Refuses a login of another account. A login that does not name its account could be one. */
function refuseOther(
  record: AccountRecord,
  credentials: Credentials,
  accounts: readonly AccountRecord[],
): void {
  const anonymous = isAnonymous(record, credentials);
  if (!anonymous && !isAnother(record, credentials)) return;
  const known = identityOf(record);
  const logins = [credentials, ...accounts.map(identityOf)];
  const owner =
    credentials.apiBaseUrl !== undefined
      ? "is an API key"
      : anonymous
        ? "does not name its account"
        : `is for ${personName(credentials, logins)}`;
  const enrolled =
    record.billing === undefined ? `as ${personName(known, logins) ?? nameOf(record)}` : "with an API key";
  throw new CodexlbError(
    "identity_differs",
    `${record.alias} is enrolled ${enrolled}, but this login ${owner}`,
    { next: replaceNext("identity_differs") },
  );
}

/** Refuses a copy from before the last renewal: its refresh token was used, so it would replace a working login. */
function refuseOlder(record: AccountRecord, credentials: Credentials): void {
  if (record.health.kind === "disabled") return;
  let stored: Credentials;
  try {
    stored = readCredentials(record.homeDir);
  } catch {
    return; // the enrolled login is unusable anyway
  }
  if ((credentials.refreshedMs ?? Number.POSITIVE_INFINITY) >= (stored.refreshedMs ?? 0)) return;
  throw new CodexlbError(
    "login_older",
    `the enrolled login of ${record.alias} is newer: it was renewed after this copy was made, so the copy no longer works`,
    { next: replaceNext("login_older") },
  );
}

/** True if `homeDir` already contains `files`. */
function isInstalled(homeDir: string, { auth, config }: AccountFiles): boolean {
  const textIn = (path: string): string => readableText(path) ?? "";
  if (!sameAuthFile(textIn(authFileOf(homeDir)), auth)) return false;
  return config === undefined || config === textIn(join(homeDir, "config.toml"));
}

/** Hides the home by one rename before it is deleted, because a partly deleted home could look like an account. */
function hideHome(layout: Layout, homeDir: string): Pick<Removal, "finish" | "undo"> {
  if (!exists(homeDir)) return { finish: () => {}, undo: () => {} };
  const hidden = join(layout.accounts, `${REMOVED_PREFIX}${crypto.randomUUID()}`);
  try {
    renameSync(homeDir, hidden);
  } catch (error) {
    throw unusable(`removing ${homeDir}`, error);
  }
  return {
    finish: () => rmSync(hidden, { recursive: true, force: true }),
    undo: () => renameSync(hidden, homeDir),
  };
}

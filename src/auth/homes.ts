// The account homes under ROOT/accounts: one CODEX_HOME per alias. Which there are, putting one in, taking one out.

import { lstatSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { HEALTHY, type HealthEvent, transition } from "../core/health.ts";
import { UNKNOWN_QUOTA } from "../core/quota.ts";
import { CodexlbError, messageOf } from "../errors.ts";
import { makePrivateDirectory, readTextIfPresent, writeFileAtomic } from "../state/atomic-file.ts";
import type { Layout } from "../state/layout.ts";
import { type AccountRecord, accountId, newAccount, type StoreState } from "../state/store.ts";
import { type Credentials, parseAuthFile } from "./auth-file.ts";

/** Letters, digits and `._@+-`, at most 128, starting with a letter or digit: e-mail addresses fit, path separators do not. */
const ALIAS = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$/;

/** Throws `invalid_alias` unless `alias` may name a directory under ROOT/accounts. */
export function checkAlias(alias: string): void {
  if (ALIAS.test(alias)) return;
  throw new CodexlbError("invalid_alias", `invalid alias ${JSON.stringify(alias)}`, {
    next: "use 1 to 128 letters, digits and ._@+- starting with a letter or a digit",
  });
}

/** The path of an account's auth.json. */
export function authFileOf(homeDir: string): string {
  return join(homeDir, "auth.json");
}

/** The credentials in an account home. Throws `invalid_auth_file`, also when there is no file. */
export function readCredentials(homeDir: string): Credentials {
  const path = authFileOf(homeDir);
  const text = readTextIfPresent(path);
  if (text === undefined)
    throw new CodexlbError("invalid_auth_file", `reading ${path}: there is no such file`, {
      next: "log in with `codex login`, then import the account",
    });
  return parseAuthFile(text, path);
}

/**
 * Puts the state in line with the directories: identities are read anew, accounts whose directory appeared are
 * added (by alias), those whose directory is gone are dropped. One whose auth.json cannot be read stays, disabled
 * as `missing-auth`, and recovers when the file does. Returns what went wrong, a line per account.
 */
export function reconcile(state: StoreState, layout: Layout, nowMs: number): string[] {
  const aliases = accountDirectories(layout);
  const known = new Map(state.accounts.map((account) => [account.alias, account]));
  const problems: string[] = [];
  const kept = state.accounts.filter((account) => aliases.has(account.alias)).map((account) => account.alias);
  const added = [...aliases].filter((alias) => !known.has(alias)).sort();
  const taken = new Set<string>();
  state.accounts = [];
  for (const alias of [...kept, ...added]) {
    const homeDir = join(layout.accounts, alias);
    const before = known.get(alias);
    if (taken.has(accountId(alias))) {
      problems.push(
        `account ${alias}: another alias differs from it only in case; rename one of the directories`,
      );
      continue;
    }
    const problem = identify(before, alias, homeDir, nowMs, state.accounts);
    if (problem !== undefined) problems.push(problem);
    if (state.accounts.at(-1)?.alias === alias) taken.add(accountId(alias));
  }
  const has = (id: string | undefined) => state.accounts.some((account) => account.id === id);
  if (!has(state.activeId)) state.activeId = undefined;
  if (!has(state.pinnedId)) state.pinnedId = undefined;
  return problems;
}

/**
 * Installs `auth` (the text of an auth.json) and optionally `config` (of a config.toml) as the home of `alias`, and
 * returns its record. Everything is validated first: a bad import changes nothing. A known alias keeps its quota
 * and loses a disablement that new credentials cure. A login of another account than the alias stands for is taken
 * only with `replace`, and then starts afresh. Throws `invalid_alias`,
 * `invalid_auth_file`, `identity_differs`.
 */
export function installAccount(
  state: StoreState,
  layout: Layout,
  alias: string,
  files: { readonly auth: string; readonly config: string | undefined; readonly replace: boolean },
): AccountRecord {
  checkAlias(alias);
  const credentials = parseAuthFile(files.auth, `auth.json of ${alias}`);
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
  const other = known !== undefined && isAnother(known, credentials);
  if (other && !files.replace)
    throw new CodexlbError(
      "identity_differs",
      `${alias} is the account ${nameOf(known)} by now, and this login is of ${credentials.email ?? credentials.accountId ?? "another one"}`,
      { next: "import it under another alias, or give --replace to drop the login that is there" },
    );
  const homeDir = join(layout.accounts, alias);
  makePrivateDirectory(homeDir);
  refuseLink(homeDir);
  writeFileAtomic(authFileOf(homeDir), files.auth);
  if (files.config !== undefined) writeFileAtomic(join(homeDir, "config.toml"), files.config);
  const record = known ?? newAccount(alias, homeDir);
  if (known === undefined) state.accounts.push(record);
  record.health = transition(record.health, { kind: "renewed" });
  if (other) {
    // The name stays, the account behind it is another one: nothing that was known of the former holds.
    record.health = HEALTHY;
    record.quota = UNKNOWN_QUOTA;
    record.quotaSyncMs = 0;
  }
  rememberIdentity(record, credentials);
  return record;
}

/** Takes the account `name` (alias or id) out of the state and deletes its home. Throws `account_not_found`. */
export function removeAccount(state: StoreState, layout: Layout, name: string): AccountRecord {
  const record = findAccount(state, name);
  const homeDir = join(layout.accounts, record.alias);
  checkAlias(record.alias);
  refuseLink(homeDir);
  rmSync(homeDir, { recursive: true, force: true });
  state.accounts = state.accounts.filter((account) => account !== record);
  if (state.activeId === record.id) state.activeId = undefined;
  if (state.pinnedId === record.id) state.pinnedId = undefined;
  return record;
}

/** The account with this alias or id. Throws `account_not_found`. */
export function findAccount(state: StoreState, name: string): AccountRecord {
  const found =
    state.accounts.find((account) => account.alias === name) ??
    state.accounts.find((account) => account.id === name.toLowerCase());
  if (found !== undefined) return found;
  const aliases = state.accounts.map((account) => account.alias).join(", ");
  throw new CodexlbError("account_not_found", `account not found: ${name}`, {
    next: aliases === "" ? "run: codexlb account import ALIAS" : `known accounts: ${aliases}`,
  });
}

/** The accounts that are the same ChatGPT account and user as `credentials`; e-mail addresses say nothing. */
export function sameIdentity(
  accounts: readonly {
    readonly alias: string;
    readonly chatgptAccountId?: string | undefined;
    readonly chatgptUserId?: string | undefined;
  }[],
  { accountId, userId }: Credentials,
): string[] {
  return accounts
    .filter(
      (account) =>
        accountId !== undefined && account.chatgptAccountId === accountId && account.chatgptUserId === userId,
    )
    .map((account) => account.alias);
}

/** Copies what the credentials say of the account into its record. */
export function rememberIdentity(record: AccountRecord, credentials: Credentials): void {
  record.chatgptAccountId = credentials.accountId ?? record.chatgptAccountId;
  record.chatgptUserId = credentials.userId ?? record.chatgptUserId;
  record.email = credentials.email ?? record.email;
  record.quota = { ...record.quota, planType: record.quota.planType ?? credentials.planType };
}

// --- internal ---

function nameOf(record: AccountRecord): string {
  return record.email ?? record.chatgptAccountId ?? record.id;
}

function isAnother(record: AccountRecord, { accountId, userId }: Credentials): boolean {
  const differs = (a: string | undefined, b: string | undefined) =>
    a !== undefined && b !== undefined && a !== b;
  return differs(record.chatgptAccountId, accountId) || differs(record.chatgptUserId, userId);
}

/** Adds the record of `alias` to `accounts`; returns what is wrong with it, if anything. */
function identify(
  before: AccountRecord | undefined,
  alias: string,
  homeDir: string,
  nowMs: number,
  accounts: AccountRecord[],
): string | undefined {
  const record =
    before === undefined ? newAccount(alias, homeDir) : { ...before, id: accountId(alias), homeDir };
  try {
    rememberIdentity(record, readCredentials(homeDir));
    if (record.health.kind === "disabled" && record.health.reason === "missing-auth")
      record.health = transition(record.health, { kind: "renewed" });
    accounts.push(record);
    return undefined;
  } catch (error) {
    // A directory that never held a login (a login in progress, a stray folder) is no account.
    if (before === undefined && readTextIfPresent(authFileOf(homeDir)) === undefined) return undefined;
    const disable: HealthEvent = { kind: "disable", reason: "missing-auth", atMs: nowMs };
    record.health = transition(record.health, disable);
    accounts.push(record);
    return `account ${alias}: ${messageOf(error)}`;
  }
}

function accountDirectories(layout: Layout): Set<string> {
  try {
    const entries = readdirSync(layout.accounts, { withFileTypes: true });
    return new Set(
      entries.filter((entry) => entry.isDirectory() && ALIAS.test(entry.name)).map((entry) => entry.name),
    );
  } catch {
    return new Set(); // no accounts directory yet
  }
}

/** A link in the place of an account home could lead a write or a deletion anywhere. */
function refuseLink(homeDir: string): void {
  const found = lstatSync(homeDir, { throwIfNoEntry: false });
  if (found?.isSymbolicLink())
    throw new CodexlbError("invalid_request", `${homeDir} is a symbolic link`, {
      next: "replace it by a real directory, or remove the link by hand",
    });
}

// The account homes under ROOT/accounts: one CODEX_HOME per alias. Which there are, putting one in, taking one out.
// Every change on disk is one rename, so that a killed process leaves the old home or the new one.

import { lstatSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type HealthEvent, MISSING_AUTH, transition } from "../core/health.ts";
import { CodexlbError, messageOf } from "../errors.ts";
import { makePrivateDirectory, readTextIfPresent, unusable, writeFileAtomic } from "../state/atomic-file.ts";
import type { Layout } from "../state/layout.ts";
import { type AccountRecord, accountId, newAccount, type StoreState } from "../state/store.ts";
import { type Credentials, parseAuthFile } from "./auth-file.ts";
import { adoptIdentity, isAnonymous, isAnother, nameOf } from "./identity.ts";
import { REMOVED_PREFIX, sweepHomes } from "./leftovers.ts";

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
      next: "log in with: codexlb account login ALIAS",
    });
  return parseAuthFile(text, path);
}

/**
 * Puts the state in line with the directories: identities are read anew, accounts whose directory appeared are
 * added (by alias), those whose directory is gone are dropped. One whose auth.json cannot be read stays, disabled
 * as `missing-auth`, and recovers when the file does; so do all of them when ROOT/accounts itself cannot be read.
 * Returns what went wrong, a line per account. Unless `readOnly`, what killed processes left behind is finished
 * or cleared first: only who owns the root may do that.
 */
export function reconcile(
  state: StoreState,
  layout: Layout,
  nowMs: number,
  { readOnly = false }: { readOnly?: boolean } = {},
): string[] {
  if (!readOnly) sweepHomes(layout);
  const known = new Map(state.accounts.map((account) => [account.alias, account]));
  const { aliases, problems } = accountDirectories(layout, known.keys());
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

/** True when a directory with a login appeared that is no account yet, or that of an account went away. */
export function homesChanged(state: StoreState, layout: Layout): boolean {
  const known = new Set(state.accounts.map((account) => account.id));
  const { aliases } = accountDirectories(
    layout,
    state.accounts.map(({ alias }) => alias),
  );
  return (
    state.accounts.some(({ alias }) => !aliases.has(alias)) ||
    [...aliases].some(
      (alias) => !known.has(accountId(alias)) && exists(authFileOf(join(layout.accounts, alias))),
    )
  );
}

/**
 * Installs `auth` (the text of an auth.json) and optionally `config` (of a config.toml) as the home of `alias`, and
 * returns its record. Everything is validated first: a bad import changes nothing. A known alias keeps its quota
 * and loses a disablement that new credentials cure. A login of another account than the alias stands for is taken
 * only with `replace`, and then starts afresh; so is an older login than the one that serves. Throws `invalid_alias`,
 * `invalid_auth_file`, `identity_differs`, `login_older`.
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
  if (known !== undefined && !files.replace) {
    refuseOther(known, credentials);
    refuseOlder(known, credentials);
  }
  const homeDir = join(layout.accounts, alias);
  makePrivateDirectory(homeDir);
  refuseLink(homeDir);
  writeFileAtomic(authFileOf(homeDir), files.auth);
  if (files.config !== undefined) writeFileAtomic(join(homeDir, "config.toml"), files.config);
  const record = known ?? newAccount(alias, homeDir);
  if (known === undefined) state.accounts.push(record);
  record.health = transition(record.health, { kind: "renewed" });
  adoptIdentity(record, credentials);
  return record;
}

/** As `installAccount`; `undo` puts back what was there before. */
export function installReversibly(
  state: StoreState,
  layout: Layout,
  alias: string,
  files: Parameters<typeof installAccount>[3],
): { readonly record: AccountRecord; undo(): void } {
  checkAlias(alias);
  const known = state.accounts.find((account) => account.alias === alias);
  const before = known === undefined ? undefined : { ...known };
  const paths = ["auth.json", "config.toml"].map((name) => join(layout.accounts, alias, name));
  const texts = paths.map((path) => ({ path, text: textOf(path) }));
  const record = installAccount(state, layout, alias, files);
  return {
    record,
    undo: () => {
      if (before === undefined) {
        removeAccount(state, layout, alias).finish();
        return;
      }
      Object.assign(record, before);
      for (const { path, text } of texts)
        if (text === undefined) rmSync(path, { force: true });
        else writeFileAtomic(path, text);
    },
  };
}

/** An account on its way out: nothing of it is gone before `finish`. */
export interface Removal {
  readonly record: AccountRecord;
  /** Deletes its home. */
  finish(): void;
  /** Puts everything back. */
  undo(): void;
}

/** Takes the account `name` (alias or id) out of the state, and its home out of sight. Throws `account_not_found`. */
export function removeAccount(state: StoreState, layout: Layout, name: string): Removal {
  const record = findAccount(state, name);
  const homeDir = join(layout.accounts, record.alias);
  checkAlias(record.alias);
  refuseLink(homeDir);
  const home = hideHome(layout, homeDir);
  const before = { ...state };
  state.accounts = state.accounts.filter((account) => account !== record);
  if (state.activeId === record.id) state.activeId = undefined;
  if (state.pinnedId === record.id) state.pinnedId = undefined;
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
  const found =
    state.accounts.find((account) => account.alias === name) ??
    state.accounts.find((account) => account.id === name.toLowerCase());
  if (found !== undefined) return found;
  const aliases = state.accounts.map((account) => account.alias).join(", ");
  throw new CodexlbError("account_not_found", `account not found: ${name}`, {
    next:
      aliases === ""
        ? "run: codexlb account login ALIAS, or: codexlb account import"
        : `known accounts: ${aliases}`,
  });
}

// --- internal ---

/** An alias goes on standing for the account that it stands for; a login that does not say whose it is may be anybody's. */
function refuseOther(record: AccountRecord, credentials: Credentials): void {
  const anonymous = isAnonymous(record, credentials);
  if (!anonymous && !isAnother(record, credentials)) return;
  const whose = anonymous
    ? "does not say whose it is"
    : `is of ${credentials.email ?? credentials.accountId}`;
  throw new CodexlbError(
    "identity_differs",
    `${record.alias} stands for ${nameOf(record)}, and this login ${whose}`,
    { next: "use another alias for it, or give --replace to drop the login that is there" },
  );
}

/** Refresh tokens work once: a copy from before the last renewal would put an end to an account that works. */
function refuseOlder(record: AccountRecord, credentials: Credentials): void {
  if (record.health.kind === "disabled") return;
  let stored: Credentials;
  try {
    stored = readCredentials(record.homeDir);
  } catch {
    return; // what is there cannot be used anyway
  }
  if ((credentials.refreshedMs ?? Number.POSITIVE_INFINITY) >= (stored.refreshedMs ?? 0)) return;
  throw new CodexlbError(
    "login_older",
    `the login that ${record.alias} has was renewed after this one, which would no longer work`,
    { next: "log in anew with: codexlb account login ALIAS; or give --replace to take the older one" },
  );
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
    before?.id === accountId(alias) && before.homeDir === homeDir
      ? before
      : { ...(before ?? newAccount(alias, homeDir)), id: accountId(alias), homeDir };
  try {
    adoptIdentity(record, readCredentials(homeDir));
    if (record.health.kind === "disabled" && record.health.reason === MISSING_AUTH)
      record.health = transition(record.health, { kind: "renewed" });
    accounts.push(record);
    return undefined;
  } catch (error) {
    // A directory that never held a login (a stray folder) is no account.
    if (before === undefined && !exists(authFileOf(homeDir))) return undefined;
    const disable: HealthEvent = { kind: "disable", reason: MISSING_AUTH, atMs: nowMs };
    record.health = transition(record.health, disable);
    record.deadLoginMark = undefined;
    accounts.push(record);
    return `account ${alias}: ${messageOf(error)}`;
  }
}

/** The text of a file; what cannot be read is not worth keeping. */
function textOf(path: string): string | undefined {
  try {
    return readTextIfPresent(path);
  } catch {
    return undefined;
  }
}

/** True when there is something at `path`, readable or not. */
function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** The aliases that have a directory, or all of `known` when it cannot be said. */
function accountDirectories(
  { accounts }: Layout,
  known: Iterable<string>,
): { aliases: Set<string>; problems: string[] } {
  try {
    const entries = readdirSync(accounts, { withFileTypes: true }).filter(({ name }) => ALIAS.test(name));
    const links = entries.filter((entry) => entry.isSymbolicLink());
    return {
      aliases: new Set(entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)),
      problems: links.map(
        ({ name }) => `account ${name}: ${join(accounts, name)} is a symbolic link; it is not used`,
      ),
    };
  } catch (error) {
    const aliases = new Set(known);
    const problem = `reading ${accounts}: ${messageOf(error)}`;
    return { aliases, problems: aliases.size === 0 ? [] : [problem] };
  }
}

/** Out of sight by one rename, then deleted: what is half deleted must not pass for an account. */
function hideHome(layout: Layout, homeDir: string): Pick<Removal, "finish" | "undo"> {
  if (!exists(homeDir)) return { finish: () => {}, undo: () => {} };
  const doomed = join(layout.accounts, `${REMOVED_PREFIX}${crypto.randomUUID()}`);
  try {
    renameSync(homeDir, doomed);
  } catch (error) {
    throw unusable(`removing ${homeDir}`, error);
  }
  return {
    finish: () => rmSync(doomed, { recursive: true, force: true }),
    undo: () => renameSync(doomed, homeDir),
  };
}

/** A link in the place of an account home could lead a write or a deletion anywhere. */
function refuseLink(homeDir: string): void {
  const found = lstatSync(homeDir, { throwIfNoEntry: false });
  if (found?.isSymbolicLink())
    throw new CodexlbError("invalid_request", `${homeDir} is a symbolic link`, {
      next: "replace it by a real directory, or remove the link by hand",
    });
}

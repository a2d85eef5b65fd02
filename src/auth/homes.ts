// The account homes under ROOT/accounts, one CODEX_HOME per alias: their names, their credentials, and how the store's
// state follows them. enrol.ts adds and removes them.

import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { advised } from "../advice.ts";
import { MISSING_AUTH, UNKNOWN_SPENDING } from "../core/health.ts";
import { CodexlbError, messageOf, systemProblem } from "../errors.ts";
import { type AccountRecord, accountId, keptOf, newAccount } from "../state/account-record.ts";
import { readTextIfPresent } from "../state/atomic-file.ts";
import type { Layout } from "../state/layout.ts";
import { changeHealth, retireLogin } from "../state/record-changes.ts";
import type { StoreState } from "../state/store-state.ts";
import { type Credentials, parseAuthFile } from "./auth-file.ts";
import { adoptIdentity } from "./identity.ts";
import { sweepHomes } from "./leftovers.ts";

/**
 * Letters, digits and `._@+-`, at most 128, starting with a letter or digit: e-mail addresses fit, path separators do
 * not.
 */
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

/** The credentials in an account home. Throws `invalid_auth_file`, also if there is no file. */
export function readCredentials(homeDir: string): Credentials {
  const path = authFileOf(homeDir);
  const text = readTextIfPresent(path);
  if (text === undefined)
    throw new CodexlbError("invalid_auth_file", `reading ${path}: no such file`, {
      next: `log in with: ${advised("account login", "ALIAS")}`,
    });
  return parseAuthFile(text, path);
}

/** Something wrong with the directories of the accounts. */
export interface HomeProblem {
  /** The account of the directory; undefined: all accounts. */
  readonly alias: string | undefined;
  /** One line, which names the account. */
  readonly message: string;
}

/**
 * Brings the state into line with the directories: reads the identities again, adds accounts whose directory appeared
 * (by alias), and drops those whose directory is gone. An account whose auth.json cannot be read stays, disabled as
 * `missing-auth`, and recovers when the file does; so do all accounts if ROOT/accounts itself cannot be read. Returns
 * the problems, one per account at most. Unless `readOnly`, it first finishes or clears what killed processes left
 * behind; only the owner of the root may do that.
 */
export function reconcile(
  state: StoreState,
  layout: Layout,
  nowMs: number,
  { readOnly = false }: { readOnly?: boolean } = {},
): HomeProblem[] {
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
        problemOf(alias, "another alias differs from it only in case; rename one of the directories"),
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

/** True if a directory with a login appeared that is not an account yet, or the directory of an account disappeared. */
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

/** True if `path` exists, readable or not. */
export function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

// --- internal ---

function problemOf(alias: string, what: string): HomeProblem {
  return { alias, message: `account ${alias}: ${what}` };
}

/** Adds the record of `alias` to `accounts`. Returns the problem with its home, if there is one. */
function identify(
  before: AccountRecord | undefined,
  alias: string,
  homeDir: string,
  nowMs: number,
  accounts: AccountRecord[],
): HomeProblem | undefined {
  const record =
    before?.id === accountId(alias) && before.homeDir === homeDir
      ? before
      : newAccount(alias, homeDir, before && keptOf(before));
  try {
    const credentials = readCredentials(homeDir);
    // A program that knows no API keys has written store.json, or a person has added the directory.
    const isUnknown = credentials.apiBaseUrl !== undefined && record.billing === undefined;
    adoptIdentity(record, credentials);
    if (isUnknown) changeHealth(record, { kind: "disable", reason: UNKNOWN_SPENDING, atMs: nowMs });
    if (record.health.kind === "disabled" && record.health.reason === MISSING_AUTH)
      changeHealth(record, { kind: "renewed" });
    accounts.push(record);
    return undefined;
  } catch (error) {
    // A directory that never contained a login (a stray folder) is not an account.
    if (before === undefined && !exists(authFileOf(homeDir))) return undefined;
    changeHealth(record, { kind: "disable", reason: MISSING_AUTH, atMs: nowMs });
    retireLogin(record, MISSING_AUTH);
    accounts.push(record);
    return problemOf(alias, messageOf(error));
  }
}

/** The aliases that have a directory, or all of `known` if the directories cannot be listed. */
function accountDirectories(
  { accounts }: Layout,
  known: Iterable<string>,
): { aliases: Set<string>; problems: HomeProblem[] } {
  try {
    const entries = readdirSync(accounts, { withFileTypes: true }).filter(({ name }) => ALIAS.test(name));
    const links = entries.filter((entry) => entry.isSymbolicLink());
    return {
      aliases: new Set(entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)),
      problems: links.map(({ name }) =>
        problemOf(name, `${join(accounts, name)} is a symbolic link, which codexlb does not use`),
      ),
    };
  } catch (error) {
    const aliases = new Set(known);
    const problem = { alias: undefined, message: `reading ${accounts}: ${systemProblem(error)}` };
    return { aliases, problems: aliases.size === 0 ? [] : [problem] };
  }
}

// The identity of an account: its ChatGPT account and user, never its e-mail address. Also copies it into records.

import type { AccountRecord } from "../state/account-record.ts";
import { forgetIdentity, identify } from "../state/record-changes.ts";
import type { Credentials } from "./auth-file.ts";
import { hashOf } from "./secrets.ts";

/** What distinguishes two logins. E-mail addresses do not. */
export interface Identity extends Person {
  readonly alias: string;
  readonly userId: string | undefined;
}

/** The parts of a login that people recognize. */
export interface Person {
  readonly email: string | undefined;
  /** A ChatGPT workspace. A personal account counts as one. */
  readonly accountId: string | undefined;
  readonly planType: string | undefined;
}

/**
 * How a message names the login `person`: by its e-mail address, and also by plan and workspace if one of `others` has
 * the same address in another workspace. Undefined when nothing is known.
 */
export function personName(person: Person, others: readonly Person[]): string | undefined {
  const { email, accountId, planType } = person;
  if (email === undefined) return accountId;
  const workspaces = others.filter((other) => isSameAddress(other, person)).map((other) => other.accountId);
  if (!sharesAddress(person, others)) return email;
  const workspace =
    accountId === undefined ? "unknown workspace" : `workspace ${shortened(accountId, workspaces)}`;
  return `${email} (${planType === undefined ? "" : `${planType}, `}${workspace})`;
}

/** True if one of `others` has the same e-mail address in another workspace. */
export function sharesAddress(person: Person, others: readonly Person[]): boolean {
  return others.some((other) => isSameAddress(other, person) && other.accountId !== person.accountId);
}

/**
 * Short workspace ids by alias, for the accounts that share their e-mail address with an account in another workspace.
 * A list shows them where the address alone is ambiguous.
 */
export function workspacesToShow(accounts: readonly Identity[]): ReadonlyMap<string, string> {
  const byAddress = new Map<string, Identity[]>();
  for (const account of accounts) {
    const address = account.email?.toLowerCase();
    if (address === undefined) continue;
    const same = byAddress.get(address);
    if (same === undefined) byAddress.set(address, [account]);
    else same.push(account);
  }
  const shown = new Map<string, string>();
  for (const same of byAddress.values()) {
    const workspaces = same.map(({ accountId }) => accountId);
    if (new Set(workspaces).size < 2) continue;
    for (const { alias, accountId } of same)
      shown.set(alias, accountId === undefined ? "unknown" : shortened(accountId, workspaces));
  }
  return shown;
}

/** The accounts that are the same ChatGPT account and user as `identity`, by alias. */
export function sameIdentity(
  accounts: readonly Identity[],
  identity: Pick<Identity, "accountId" | "userId">,
): string[] {
  return accounts
    .filter(
      ({ accountId, userId }) =>
        identity.accountId !== undefined && accountId === identity.accountId && userId === identity.userId,
    )
    .map((account) => account.alias);
}

/**
 * One line for each set of aliases in `among` that share a login: each token refresh invalidates the other copies. The
 * line names the login if `accounts` has another one with the same e-mail address.
 */
export function twinProblems(accounts: readonly Identity[], among = accounts): string[] {
  return among.flatMap((account) => {
    const same = sameIdentity(among, account);
    if (same.length < 2 || same[0] !== account.alias) return [];
    const which = sharesAddress(account, accounts) ? ` (${personName(account, accounts)})` : "";
    return [
      `${same.join(" and ")} are the same ChatGPT account${which}: keep only one, because each token refresh invalidates the other login`,
    ];
  });
}

export function identityOf(record: AccountRecord): Identity {
  return {
    alias: record.alias,
    email: record.email,
    accountId: record.chatgptAccountId,
    userId: record.chatgptUserId,
    planType: record.quota.planType,
  };
}

/**
 * A hash that is the same in every proxy for the same ChatGPT account and user; undefined if the login does not name
 * its account and user.
 */
export function identityMarkOf({
  chatgptAccountId,
  chatgptUserId,
}: Pick<AccountRecord, "chatgptAccountId" | "chatgptUserId">): string | undefined {
  if (chatgptAccountId === undefined || chatgptUserId === undefined) return undefined;
  return hashOf(`codexlb identity ${chatgptAccountId} ${chatgptUserId}`).slice(0, 32);
}

/** Copies the identity in the credentials into the account's record. */
export function rememberIdentity(record: AccountRecord, credentials: Credentials): void {
  identify(record, { ...credentials, mark: loginMarkOf(credentials) });
}

/** A hash that identifies a login without revealing it. */
export function loginMarkOf({ accessToken }: Credentials): string {
  return hashOf(accessToken).slice(0, 16);
}

/** The name of an account in messages. */
export function nameOf(record: AccountRecord): string {
  return personName(identityOf(record), []) ?? record.id;
}

/** True if the credentials belong to another account or user than the record, or if only one of them has an API key. */
export function isAnother(record: AccountRecord, credentials: Credentials): boolean {
  const { accountId, userId, apiBaseUrl } = credentials;
  if (record.loginMark !== undefined && (record.billing === undefined) !== (apiBaseUrl === undefined))
    return true;
  const differs = (a: string | undefined, b: string | undefined) =>
    a !== undefined && b !== undefined && a !== b;
  return differs(record.chatgptAccountId, accountId) || differs(record.chatgptUserId, userId);
}

/** Like `rememberIdentity`. If the credentials are of another account, first forgets the former one. */
export function adoptIdentity(record: AccountRecord, credentials: Credentials): void {
  if (isAnother(record, credentials) || isAnonymous(record, credentials)) forgetIdentity(record);
  rememberIdentity(record, credentials);
}

/** True if the record names its account and the credentials do not. */
export function isAnonymous(record: AccountRecord, { accountId }: Credentials): boolean {
  return record.chatgptAccountId !== undefined && accountId === undefined;
}

// --- internal ---

/** Length of a short workspace id; longer only where two would be equal. */
const SHORT_ID = 8;

function isSameAddress(a: Person, b: Person): boolean {
  return a.email !== undefined && a.email.toLowerCase() === b.email?.toLowerCase();
}

/** The shortest prefix of `id` that differs from `others`. */
function shortened(id: string, others: readonly (string | undefined)[]): string {
  for (let length = SHORT_ID; length < id.length; length++) {
    const start = id.slice(0, length);
    if (!others.some((other) => other !== id && other?.startsWith(start))) return start;
  }
  return id;
}

// Finds the logins in the user's own Codex homes that could be enrolled.

import { realpathSync } from "node:fs";
import { join } from "node:path";
import { identityOfListed, type ListedAccount } from "../../auth/account-ops.ts";
import { type Credentials, parseAuthFile } from "../../auth/auth-file.ts";
import { authFileOf, readCredentials } from "../../auth/homes.ts";
import { sameIdentity } from "../../auth/identity.ts";
import { looksLikeStub } from "../../auth/stub.ts";
import { keyringOf, userHomes } from "../../codex/home.ts";
import { CodexlbError } from "../../errors.ts";
import { readTextIfPresent } from "../../state/atomic-file.ts";
import type { CommandContext } from "../context.ts";
import { isManaged } from "../run/run-home.ts";

/**
 * A Codex home with a login.
 * `new`: it can be enrolled. `enrolled`: the account `alias` has it. `unusable`: codexlb cannot read it; `why` says so.
 */
export type OwnLogin = { readonly home: string } & (
  | { readonly kind: "new"; readonly credentials: Credentials }
  | { readonly kind: "enrolled"; readonly alias: string }
  | { readonly kind: "unusable"; readonly why: string }
);

/** The logins in `$CODEX_HOME` and `~/.codex`. `accounts` are those of the root. */
export function ownLogins(
  { deps, layout }: Pick<CommandContext, "deps" | "layout">,
  accounts: readonly ListedAccount[],
): OwnLogin[] {
  const homes = userHomes(deps.env).filter((home) => !isManaged(home, layout));
  const unique = [...new Map(homes.map((home) => [realPathOf(home), home])).values()];
  return unique.flatMap((home): OwnLogin[] => {
    const found = credentialsIn(home);
    if (found === undefined) return [];
    if (typeof found === "string") return [{ home, kind: "unusable", why: found }];
    const alias = aliasOf(found, accounts, layout.accounts);
    return [
      alias === undefined ? { home, kind: "new", credentials: found } : { home, kind: "enrolled", alias },
    ];
  });
}

// --- internal ---

function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path; // it does not exist
  }
}

/** The credentials in `home`, or why they cannot be used; undefined if there is no login, or only a stub of codexlb. */
function credentialsIn(home: string): Credentials | string | undefined {
  const path = authFileOf(home);
  try {
    const text = readTextIfPresent(path);
    if (text === undefined)
      return keyringOf(home) === undefined
        ? undefined
        : `${home} keeps its login in the system keyring, which codexlb cannot read`;
    const credentials = parseAuthFile(text, path);
    return looksLikeStub(credentials.accessToken) ? undefined : credentials;
  } catch (error) {
    if (error instanceof CodexlbError) return error.message;
    throw error;
  }
}

/** The alias under which a login is enrolled. A login that does not name its account is recognized by its token. */
function aliasOf(
  credentials: Credentials,
  accounts: readonly ListedAccount[],
  accountHomes: string,
): string | undefined {
  const [same] = sameIdentity(accounts.map(identityOfListed), credentials);
  if (same !== undefined) return same;
  return accounts.find(({ alias }) => hasToken(join(accountHomes, alias), credentials))?.alias;
}

function hasToken(home: string, { accessToken, refreshToken }: Credentials): boolean {
  try {
    const enrolled = readCredentials(home);
    return (
      enrolled.accessToken === accessToken ||
      (refreshToken !== undefined && enrolled.refreshToken === refreshToken)
    );
  } catch {
    return false; // the account's own login is unusable
  }
}
